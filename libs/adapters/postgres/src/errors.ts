import { errorCode, isStorageError, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import {
  busyRetryAfterMs,
  downRetryAfterMs,
  snapshotIdleTimeoutMsDefault,
  statementTimeoutMsDefault,
} from "./limits.ts";

const unavailable: StorageErrorDetail = { resource: "Postgres", retryAfterMs: downRetryAfterMs };

/** Where a process is told how many connections it may have. */
const poolVariable = "GRAVITON_POSTGRES_CONNECTIONS_MAX";

/**
 * What an error of the driver, or of Postgres behind it, means to the caller of a port. Messages name neither the
 * server nor the statement: both may be secret, and both are in `cause`. Errors that only a bug of the caller's can
 * bring about, a violated check among them, come back as they are.
 */
export function postgresError(error: unknown): unknown {
  if (isStorageError(error) || !Error.isError(error)) return error;
  const code = errorCode(error);
  if (code === undefined) return fromDriver(error);
  return isFromServer(error) ? fromSqlState(code, error) : fromSystem(code, error);
}

/** True for what Postgres itself says, which is there to answer the next statement too. */
export function isFromServer(error: unknown): boolean {
  // Every SQLSTATE has a digit; EPIPE has none.
  return /^(?=.*[0-9])[0-9A-Z]{5}$/.test(errorCode(error) ?? "");
}

/** The driver's own errors have nothing but a text. */
function fromDriver(error: Error): unknown {
  if (error.message === "timeout exceeded when trying to connect") {
    return exhausted(
      `every connection to Postgres is in use: try again, or raise ${poolVariable}`,
      busyRetryAfterMs,
      error,
    );
  }
  return /connect|terminat|timeout|queryable|pool/i.test(error.message) ? unreachable(error) : error;
}

function fromSystem(code: string, error: Error): unknown {
  if (networkCodes.has(code) || code.startsWith("ERR_SSL_")) return unreachable(error);
  if (code === "EMFILE" || code === "ENFILE") {
    return exhausted("this process has no file handle left: try again, or raise its limit", busyRetryAfterMs, error);
  }
  if (/CERT|^UNABLE_TO_(GET|VERIFY)_/.test(code)) {
    return down(`shows a certificate that this process does not trust (${code}): renew it, or have it trusted`, error);
  }
  return error;
}

const networkCodes = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPROTO"],
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
      return down(`ended a statement that took over ${limit(statementTimeoutMsDefault)}: try again`, cause);
    case "25P03":
      return down(`ended a call that paused for over ${limit(snapshotIdleTimeoutMsDefault)}: try again`, cause);
    case "25006":
      return down("is read-only at the moment: connect to its primary", cause);
    case "53100":
      return exhausted("Postgres has no disk space left: free some, then try again", downRetryAfterMs, cause);
    case "53300":
      return exhausted(
        `Postgres accepts no more connections: try again, or lower ${poolVariable}`,
        busyRetryAfterMs,
        cause,
      );
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
      return exhausted("Postgres is short of a resource: try again", downRetryAfterMs, cause);
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

function unreachable(cause: Error): StorageError {
  return down("cannot be reached: check that it runs and that this process may connect to it", cause);
}

function exhausted(message: string, retryAfterMs: number, cause: Error): StorageError {
  return new StorageError("EXHAUSTED", message, { resource: "Postgres", retryAfterMs, cause });
}

/** Whoever opens a database may set another limit than the default; Postgres does not tell which it was. */
function limit(milliseconds: number): string {
  return `${milliseconds / 1000} seconds, or the limit set instead`;
}
