import type { CallOptions } from "./call-options.ts";

/** Every layer of a call hands on the same options and asks anew; a timer and a signal for each would cost more than some calls. */
const remembered = new WeakMap<CallOptions, AbortSignal>();

/** One signal that aborts when the caller gives up or when its deadline passes. The same options have the same signal. */
export function callSignal(options: CallOptions | undefined): AbortSignal | undefined {
  if (options?.deadline === undefined) return options?.signal;
  const known = remembered.get(options);
  if (known !== undefined) return known;
  const { signal, deadline } = options;
  const leftMs = deadline - Date.now();
  if (leftMs > timeoutMsMax) return signal;
  const late = AbortSignal.timeout(Math.max(0, leftMs));
  const either = signal === undefined ? late : AbortSignal.any([signal, late]);
  remembered.set(options, either);
  return either;
}

/** The longest timer that Node has; a later deadline is as good as none. */
const timeoutMsMax = 2 ** 31 - 1;
