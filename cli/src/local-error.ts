import { errorCode } from "@graviton/ports/storage-error";
import { CommandError } from "./failure.ts";
import { printable } from "./printable.ts";

/** The failure of a local file, in words that say what to do about it. */
export function localError(error: unknown, doing: "read" | "write", path: string): CommandError {
  const name = printable(path);
  const detail = { resource: path, cause: error };
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return doing === "read"
        ? new CommandError("NOT_FOUND", `no such file or folder: ${name}`, detail)
        : new CommandError("NOT_FOUND", `cannot write ${name}: its folder does not exist`, detail);
    case "EACCES":
    case "EPERM":
      return new CommandError("FAILED", `cannot ${doing} ${name}: the file's permissions do not allow it`, detail);
    case "ENOSPC":
    case "EDQUOT":
      return new CommandError("EXHAUSTED", `cannot write ${name}: the disk is full`, detail);
    case "EISDIR":
      return new CommandError("FAILED", `cannot ${doing} ${name}: it is a folder`, detail);
    default: {
      const message = Error.isError(error) ? error.message : String(error);
      return new CommandError("FAILED", `cannot ${doing} ${name}: ${message}`, detail);
    }
  }
}
