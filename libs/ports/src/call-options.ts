import { StorageError } from "./storage-error.ts";

/** What every method of every port takes last. */
export interface CallOptions {
  /** Aborting it ends the call with CANCELLED (DEADLINE_EXCEEDED for a timeout) and frees what the call held. */
  readonly signal?: AbortSignal | undefined;
  /** When the caller stops waiting, in milliseconds since 1970. Remote adapters pass what is left of it on. */
  readonly deadline?: number | undefined;
  /**
   * Resolves once the caller holds nothing any more of what a stream gave it so far, or never will let it go. A store
   * that bounds its calls counts one until then: memory is still in use while a slow reader has not taken the last bytes.
   */
  readonly released?: (() => Promise<void>) | undefined;
}

/** What every listing takes besides. */
export interface ListOptions {
  /** Only what comes after this name in byte order: the last name of the page before. */
  readonly after?: string | undefined;
  /** How many at most, 1 or more; all when absent. */
  readonly limit?: number | undefined;
}

/** @throws StorageError INVALID_ARGUMENT for a limit that is not a whole number of 1 or more */
export function checkListOptions(options: ListOptions): ListOptions {
  if (options.limit !== undefined && (!Number.isSafeInteger(options.limit) || options.limit < 1)) {
    throw new StorageError("INVALID_ARGUMENT", `limit ${options.limit} must be a whole number, 1 or more`);
  }
  return options;
}

/** @throws StorageError CANCELLED or DEADLINE_EXCEEDED when the caller no longer waits */
export function checkCall(options: CallOptions | undefined): void {
  if (options?.signal?.aborted) throw abortError(options.signal);
  if (options?.deadline !== undefined && options.deadline <= Date.now()) {
    throw new StorageError("DEADLINE_EXCEEDED", "the deadline passed");
  }
}

/** The error that an aborted signal stands for. A signal whose reason is a {@link StorageError} gives just that. */
export function abortError(signal: AbortSignal): StorageError {
  const reason: unknown = signal.reason;
  if (Error.isError(reason)) {
    if (reason.name === "StorageError") return reason as StorageError;
    if (reason.name === "TimeoutError") {
      return new StorageError("DEADLINE_EXCEEDED", "the deadline passed", { cause: reason });
    }
  }
  return new StorageError("CANCELLED", "the caller cancelled the call", { cause: reason });
}
