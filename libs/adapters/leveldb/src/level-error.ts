import { errorCode, isStorageError, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import { busyRetryAfterMs, diskFullRetryAfterMs } from "./limits.ts";

/** Runs a call of LevelDB's and translates what it throws. */
export async function translated<T>(folder: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw levelError(error, folder);
  }
}

/** What an error of LevelDB's, or of the file system below it, means to the caller of a port. */
export function levelError(error: unknown, folder: string): StorageError {
  if (isStorageError(error)) return error;
  const detail: StorageErrorDetail = { cause: error, resource: folder };
  const cause = Error.isError(error) && error.cause !== undefined ? error.cause : error;
  const code = errorCode(cause);
  switch (code) {
    case "LEVEL_LOCKED":
      return new StorageError(
        "UNAVAILABLE",
        `database ${folder} is open already, in this process or another one: only one may have it, close the other`,
        detail,
      );
    case "LEVEL_CORRUPTION":
      return new StorageError("CORRUPT", `database ${folder} is damaged: restore it from a backup`, detail);
    case "LEVEL_DATABASE_NOT_OPEN":
      return new StorageError("UNAVAILABLE", `database ${folder} is closed`, detail);
    default:
      return fileSystemError(String(Error.isError(cause) ? cause.message : cause), folder, detail);
  }
}

/** LevelDB gives one code, LEVEL_IO_ERROR, for all that the file system refuses; only its text says what that was. */
function fileSystemError(text: string, folder: string, detail: StorageErrorDetail): StorageError {
  if (/no space left|quota exceeded|ENOSPC|EDQUOT/i.test(text)) return diskFull(folder, detail);
  if (/too many open files|EMFILE|ENFILE/i.test(text)) {
    return new StorageError("EXHAUSTED", "this process has no file handle left: try again, or raise its limit", {
      ...detail,
      retryAfterMs: busyRetryAfterMs,
    });
  }
  return new StorageError(
    "UNAVAILABLE",
    `database ${folder} cannot be read or written: check that the folder is there and belongs to the user of this process`,
    detail,
  );
}

/** The error for a disk without room. */
export function diskFull(folder: string, detail: StorageErrorDetail = {}): StorageError {
  return new StorageError("EXHAUSTED", `no space is left for database ${folder}: free some, then try again`, {
    resource: folder,
    ...detail,
    retryAfterMs: diskFullRetryAfterMs,
  });
}
