import { randomBytes } from "node:crypto";
import { type FileHandle, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CommandError } from "./failure.ts";
import { localError } from "./local-error.ts";
import { printable } from "./printable.ts";

/**
 * Writes the stream to the file, all or nothing: into a temporary file beside it, which takes its place at the end.
 * What is no regular file, such as a device, is written to directly.
 *
 * @throws CommandError for a folder, and when the file cannot be written; the source's own errors as they are
 */
export async function writeTargetFile(path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory()) {
    throw new CommandError("INVALID_ARGUMENT", `${printable(path)} is a folder: name a file to write to`, {
      resource: path,
    });
  }
  if (facts !== undefined && !facts.isFile()) return writeInto(path, await opened(path, path, "w"), source);
  // Through a symbolic link, so that the link stays one.
  const target = facts === undefined ? path : await realpath(path);
  const temporary = join(dirname(target), `.${basename(target).slice(0, 100)}.${randomBytes(6).toString("hex")}.part`);
  const file = await opened(temporary, path, "wx", facts?.mode);
  try {
    await writeInto(path, file, source);
    await rename(temporary, target).catch((error: unknown) => {
      throw localError(error, "write", path);
    });
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

async function opened(path: string, asked: string, flags: "w" | "wx", mode = 0o666): Promise<FileHandle> {
  try {
    return await open(path, flags, mode & 0o777);
  } catch (error) {
    throw localError(error, "write", asked);
  }
}

async function writeInto(path: string, file: FileHandle, source: AsyncIterable<Uint8Array>): Promise<void> {
  await using target = file;
  for await (const bytes of source) {
    await target.writeFile(bytes).catch((error: unknown) => {
      throw localError(error, "write", path);
    });
  }
}
