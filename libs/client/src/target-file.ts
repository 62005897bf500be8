import { randomBytes } from "node:crypto";
import { type FileHandle, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StorageError } from "@graviton/ports/storage-error";
import { localFileError } from "./local-file-error.ts";

/**
 * Writes the stream to the file, all or nothing: into a temporary file beside it, which takes its place at the end.
 * What is no regular file, such as a device, is written to directly.
 *
 * @throws StorageError INVALID_ARGUMENT for a folder, NOT_FOUND when its folder is not there, PERMISSION_DENIED, EXHAUSTED
 * for a full disk, UNAVAILABLE for other failures of the file; the source's own errors as they are
 */
export async function writeTargetFile(path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory()) {
    throw new StorageError("INVALID_ARGUMENT", `${JSON.stringify(path)} is a folder: name a file to write to`, {
      resource: path,
    });
  }
  if (facts !== undefined && !facts.isFile()) return writeInto(path, await opened(path, path, "w"), source);
  // Through a symbolic link, so that the link stays one.
  const target = facts === undefined ? path : await realpath(path).catch(notWritten(path));
  const temporary = join(dirname(target), `.${basename(target).slice(0, 50)}.${randomBytes(6).toString("hex")}.part`);
  const file = await opened(temporary, path, "wx", facts?.mode);
  try {
    await writeInto(path, file, source);
    await rename(temporary, target).catch(notWritten(path));
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

function opened(path: string, asked: string, flags: "w" | "wx", mode = 0o666): Promise<FileHandle> {
  return open(path, flags, mode & 0o777).catch(notWritten(asked));
}

async function writeInto(path: string, file: FileHandle, source: AsyncIterable<Uint8Array>): Promise<void> {
  await using target = file;
  for await (const bytes of source) await target.writeFile(bytes).catch(notWritten(path));
}

function notWritten(path: string): (error: unknown) => never {
  return (error) => {
    throw localFileError(error, "write", path);
  };
}
