import type { CallOptions } from "./call-options.ts";

/** One signal that aborts when the caller gives up or when its deadline passes. */
export function callSignal(options: CallOptions | undefined): AbortSignal | undefined {
  const { signal, deadline } = options ?? {};
  if (deadline === undefined) return signal;
  const late = AbortSignal.timeout(Math.min(Math.max(0, deadline - Date.now()), timeoutMsMax));
  return signal === undefined ? late : AbortSignal.any([signal, late]);
}

/** The longest timer that Node has; a later deadline is as good as none. */
const timeoutMsMax = 2 ** 31 - 1;
