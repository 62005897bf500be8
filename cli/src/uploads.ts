import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { frameBytesMax } from "@graviton/ports/limits";
import { localError } from "./local-error.ts";
import { printable } from "./printable.ts";

/** One stream to store. */
export interface Upload {
  /** As the command line gave it, or found below what it gave; `-` for standard input. */
  readonly path: string;
  /** The file's own name, for the blob's attributes; undefined for what has none. */
  readonly name: string | undefined;
  /** Bytes, where they are known beforehand. */
  readonly size: number | undefined;
  /** Opens it. Closed by the end of the stream, and by ending it early. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * What a path stands for: `-` is standard input, a folder all files below it in the order of their paths, anything
 * else itself. A symbolic link that the command line names is followed; one found in a folder is not.
 *
 * @param skipped hears of each thing in a folder that is neither a file nor a folder
 */
export async function uploadsOf(path: string, skipped: (note: string) => void): Promise<Upload[]> {
  if (path === "-") return [{ path, name: undefined, size: undefined, open: () => process.stdin }];
  const facts = await stat(path).catch((error: unknown) => {
    throw localError(error, "read", path);
  });
  if (facts.isDirectory()) return uploadsBelow(path, skipped);
  return [uploadOf(path, facts.isFile() ? facts.size : undefined)];
}

/** True when the path is a folder. */
export async function isFolder(path: string): Promise<boolean> {
  const facts = path === "-" ? undefined : await stat(path).catch(() => undefined);
  return facts?.isDirectory() === true;
}

async function uploadsBelow(folder: string, skipped: (note: string) => void): Promise<Upload[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw localError(error, "read", folder);
  });
  const uploads: Upload[] = [];
  for (const entry of entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) uploads.push(...(await uploadsBelow(path, skipped)));
    else if (entry.isFile()) uploads.push(uploadOf(path, (await lstat(path).catch(() => undefined))?.size));
    else skipped(`skipped ${printable(path)}: ${entry.isSymbolicLink() ? "a symbolic link" : "not a regular file"}`);
  }
  return uploads;
}

function uploadOf(path: string, size: number | undefined): Upload {
  const name = basename(path);
  // Attributes are text; a name that is not stays on this side.
  const named = printable(name) === name && name.isWellFormed() && name !== "";
  return { path, name: named ? name : undefined, size, open: () => readFrames(path) };
}

async function* readFrames(path: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    yield* framesOf(file);
  } catch (error) {
    throw localError(error, "read", path);
  }
}

async function* framesOf(file: FileHandle): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(frameBytesMax));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
