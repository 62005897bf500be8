import { errorCode, isStorageError, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import { busyRetryAfterMs, downRetryAfterMs } from "./limits.ts";

const unavailable: StorageErrorDetail = { resource: "Postgres", retryAfterMs: downRetryAfterMs };

/**
 * What an error of the driver, or of Postgres behind it, means to the caller of a port. Messages name neither the
 * server nor the statement: both may be secret, and both are in `cause`. Errors that only a bug of the caller's can
 * bring about, a violated check among them, come back as they are.
 */
export function postgresError(error: unknown): unknown {
  if (isStorageError(error) || !Error.isError(error)) return error;
  const code = errorCode(error);
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code)) return fromSqlState(code, error);
  if (code === undefined && error.message === "timeout exceeded when trying to connect") {
    return new StorageError("EXHAUSTED", "every connection to Postgres is in use: try again, or raise poolMax", {
      resource: "Postgres",
      retryAfterMs: busyRetryAfterMs,
      cause: error,
    });
  }
  if (code !== undefined ? networkCodes.has(code) : /connect|terminat|timeout|queryable|pool/i.test(error.message)) {
    return down("cannot be reached: check that it runs and that this process may connect to it", error);
  }
  return error;
}

const networkCodes = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"],
  ...["ENOTFOUND", "EAI_AGAIN", "ENOENT", "EACCES", "EADDRNOTAVAIL", "ERR_STREAM_DESTROYED"],
]);

function fromSqlState(code: string, cause: Error): unknown {
  switch (code) {
    case "23505":
      return new StorageError("ALREADY_EXISTS", "there is one of this name already", { cause });
    case "40001":
    case "40P01":
      return new StorageError("CONFLICT", "concurrent changes kept getting in each other's way: try again", { cause });
    case "57014":
      return new StorageError("DEADLINE_EXCEEDED", "Postgres took longer than statementTimeoutMs", { cause });
    case "25P03":
      return down("ended a read that paused for longer than snapshotIdleTimeoutMs: read again", cause);
    case "25006":
      return down("is read-only at the moment: connect to its primary", cause);
    case "53100":
      return exhausted("has no disk space left: free some, then try again", downRetryAfterMs, cause);
    case "53300":
      return exhausted("accepts no more connections: try again, or lower poolMax", busyRetryAfterMs, cause);
    case "42501":
      return down("does not let this user do what the store needs: check its privileges", cause);
    case "42P01":
    case "3F000":
      return down("has lost tables of the store: run the migrations, or restore it from a backup", cause);
    case "XX001":
    case "XX002":
      return new StorageError("CORRUPT", "Postgres found its own files damaged: restore it from a backup", { cause });
    default:
      return fromClass(code, cause);
  }
}

function fromClass(code: string, cause: Error): unknown {
  switch (code.slice(0, 2)) {
    case "08":
    case "57":
    case "58":
      return down("is shutting down, starting up, or broke off the connection: try again", cause);
    case "28":
      return down("refuses the user or the password: check the connection settings", cause);
    case "3D":
      return down("has no database of that name: create it, or check the connection settings", cause);
    case "53":
    case "54":
      return exhausted("is short of a resource: try again", downRetryAfterMs, cause);
    case "55":
      return down("is busy with a lock: try again", cause);
    default:
      return cause;
  }
}

/** True for a change that lost to a concurrent one, and was undone: the same again may succeed. */
export function isConcurrencyFailure(error: unknown): boolean {
  return ["40001", "40P01"].includes(errorCode(error) ?? "");
}

function down(what: string, cause: Error): StorageError {
  return new StorageError("UNAVAILABLE", `Postgres ${what}`, { ...unavailable, cause });
}

function exhausted(what: string, retryAfterMs: number, cause: Error): StorageError {
  return new StorageError("EXHAUSTED", `Postgres ${what}`, { resource: "Postgres", retryAfterMs, cause });
}
