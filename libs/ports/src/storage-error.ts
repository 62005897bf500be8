/**
 * Why an operation failed. The set is closed: callers branch on it, the wire maps each to one gRPC code,
 * and nothing outside it is thrown on purpose.
 */
export type Reason =
  /** The thing asked for does not exist. Never used for a fault of the server. */
  | "NOT_FOUND"
  /** A malformed key, range, plan, locator or manifest. */
  | "INVALID_ARGUMENT"
  /** The bytes sent do not hash to the key that was claimed for them. */
  | "HASH_MISMATCH"
  /** Over a named limit; the message names the limit and its value. */
  | "TOO_LARGE"
  /** An offset beyond the end. */
  | "OUT_OF_RANGE"
  /** A manifest names blocks that are not stored; `missing` lists them. */
  | "MISSING_BLOCKS"
  /** A create-only write met an existing name. Never used for content: the same bytes again are a success. */
  | "ALREADY_EXISTS"
  /** A compare-and-swap lost to a concurrent change: read again, then try again. */
  | "CONFLICT"
  /** Stored bytes no longer hash to their key, and no good copy was found. */
  | "CORRUPT"
  /** Quota, disk full, or too many calls in flight. */
  | "EXHAUSTED"
  /** A dependency is down, or the store is closed; `resource` names it. */
  | "UNAVAILABLE"
  /** A capability that this adapter declares it lacks. */
  | "UNSUPPORTED"
  /** The caller did not say who it is. */
  | "UNAUTHENTICATED"
  /** The caller may not do this. */
  | "PERMISSION_DENIED"
  /** The caller gave up. */
  | "CANCELLED"
  /** The caller's deadline passed. */
  | "DEADLINE_EXCEEDED";

/** What a {@link StorageError} carries besides its message. */
export interface StorageErrorDetail {
  /** The key, locator or dependency that the failure concerns, in its text form. */
  readonly resource?: string;
  /** How long to wait before the same call may succeed, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The keys of the blocks that are missing, in text form. Only with MISSING_BLOCKS. */
  readonly missing?: readonly string[];
  /** The driver's own error. It stays in this process: the wire never carries it. */
  readonly cause?: unknown;
}

/** The one error that ports throw. Branch on `reason`, never on the text. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly reason: Reason;
  readonly resource: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly missing: readonly string[] | undefined;

  constructor(reason: Reason, message: string, detail: StorageErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.reason = reason;
    this.resource = detail.resource;
    this.retryAfterMs = detail.retryAfterMs;
    this.missing = detail.missing;
  }
}

/**
 * True for a {@link StorageError}. Decided by name, because two realms (a test runner's and Node's own)
 * have two classes of the same name and `instanceof` would miss one of them.
 */
export function isStorageError(error: unknown): error is StorageError {
  return Error.isError(error) && error.name === "StorageError" && "reason" in error;
}

/** True for a {@link StorageError} with this reason. */
export function hasReason(error: unknown, reason: Reason): error is StorageError {
  return isStorageError(error) && error.reason === reason;
}

/** The `code` of a driver's error (`ENOSPC`, `LEVEL_LOCKED`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (!Error.isError(error)) return undefined;
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? code : undefined;
}

/** True for what is the server's own fault, and worth its operator's attention; false for what the caller did or wanted. */
export function isServerFault(error: unknown): boolean {
  return !isStorageError(error) || ["CORRUPT", "EXHAUSTED", "UNAVAILABLE"].includes(error.reason);
}
