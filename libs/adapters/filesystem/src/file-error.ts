import { errorCode, isStorageError, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import { diskFullRetryAfterMs, handlesRetryAfterMs } from "./limits.ts";

/** Runs file operations below a folder and translates what they throw; a {@link StorageError} passes as it is. */
export async function translated<T>(folder: string, resource: string | undefined, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fileError(error, folder, resource);
  }
}

/**
 * What the error of a file operation means to the caller of a port. `ENOENT` has no meaning of its own here: where
 * absence is an answer, the caller has looked at it before.
 */
export function fileError(error: unknown, folder: string, resource?: string): StorageError {
  if (isStorageError(error)) return error;
  const detail: StorageErrorDetail = { cause: error, resource: resource ?? folder };
  const code = errorCode(error);
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new StorageError("EXHAUSTED", `no space is left for folder ${folder}: free some, then try again`, {
        ...detail,
        retryAfterMs: diskFullRetryAfterMs,
      });
    case "EMFILE":
    case "ENFILE":
      return new StorageError("EXHAUSTED", "this process has no file handle left: try again, or raise its limit", {
        ...detail,
        retryAfterMs: handlesRetryAfterMs,
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new StorageError(
        "UNAVAILABLE",
        `folder ${folder} refuses access (${code}): make it readable and writable for the user of this process`,
        detail,
      );
    case "ENOTDIR":
    case "ENOENT":
      return new StorageError(
        "UNAVAILABLE",
        `folder ${folder} is not there as a folder (${code}): check the path, and that its volume is mounted`,
        detail,
      );
    default:
      return new StorageError("UNAVAILABLE", `folder ${folder} fails with ${code ?? "an unknown error"}`, detail);
  }
}

/** True for the errors that say that a path leads nowhere. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}
