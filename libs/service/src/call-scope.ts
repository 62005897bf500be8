import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";

/** What everything that a process does for one call can know of that call. */
export interface CallScope {
  /** Names the call in every process that it passes through. */
  readonly requestId: string;
}

/** The header that carries the name of a call. */
export const requestIdHeader = "x-request-id";

const scopes = new AsyncLocalStorage<CallScope>();

/** The call that is being served, or undefined outside of any. */
export function currentCall(): CallScope | undefined {
  return scopes.getStore();
}

/** Runs work as part of a call. */
export function inCall<T>(scope: CallScope, work: () => T): T {
  return scopes.run(scope, work);
}

/** The name that the caller gave, if it is short and plain, else a new one. */
export function requestIdOf(header: Headers): string {
  const given = header.get(requestIdHeader) ?? "";
  return /^[\w.:/+=-]{1,128}$/.test(given) ? given : randomUUID();
}
