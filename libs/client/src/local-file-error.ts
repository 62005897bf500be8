import { errorCode, StorageError } from "@graviton/ports/storage-error";

/** The failure of a local file, with the reason that fits it and the path as its resource. */
export function localFileError(error: unknown, doing: "read" | "write", path: string): StorageError {
  const detail = { resource: path, cause: error };
  const cannot = `cannot ${doing} ${JSON.stringify(path)}`;
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return doing === "read"
        ? new StorageError("NOT_FOUND", `no such file or folder: ${JSON.stringify(path)}`, detail)
        : new StorageError("NOT_FOUND", `${cannot}: its folder does not exist`, detail);
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new StorageError("PERMISSION_DENIED", `${cannot}: its permissions do not allow it`, detail);
    case "ENOSPC":
    case "EDQUOT":
      return new StorageError("EXHAUSTED", `${cannot}: the disk is full`, detail);
    case "EISDIR":
      return new StorageError("INVALID_ARGUMENT", `${cannot}: it is a folder`, detail);
    default:
      return new StorageError("UNAVAILABLE", `${cannot}: ${Error.isError(error) ? error.message : error}`, detail);
  }
}
