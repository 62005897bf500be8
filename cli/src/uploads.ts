import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { localFileError } from "@graviton/client/local-file-error";
import { fileName, readFrames, type Upload, uploadOf, uploadOfFile } from "@graviton/client/uploads";
import { printable } from "./printable.ts";

/** One stream to store. */
export interface NamedUpload extends Upload {
  /** As the command line gave it, or found below what it gave; `-` for standard input. */
  readonly path: string;
  /** The file's own name, for the blob's attributes; undefined for what has none. */
  readonly name: string | undefined;
}

/**
 * What a path stands for: `-` is standard input, a folder all files below it in the order of their paths, anything
 * else itself. A symbolic link that the command line names is followed; one found in a folder is not.
 *
 * @param skipped hears of each thing in a folder that is neither a file nor a folder
 */
export async function uploadsOf(path: string, skipped: (note: string) => void): Promise<NamedUpload[]> {
  if (path === "-") return [{ path, name: undefined, ...uploadOf(process.stdin) }];
  if (await isFolder(path)) return uploadsBelow(path, skipped);
  return [{ path, name: fileName(path), ...(await uploadOfFile(path)) }];
}

/** True when the path is a folder. */
export async function isFolder(path: string): Promise<boolean> {
  const facts = path === "-" ? undefined : await stat(path).catch(() => undefined);
  return facts?.isDirectory() === true;
}

async function uploadsBelow(folder: string, skipped: (note: string) => void): Promise<NamedUpload[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw localFileError(error, "read", folder);
  });
  const uploads: NamedUpload[] = [];
  for (const entry of entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) uploads.push(...(await uploadsBelow(path, skipped)));
    else if (entry.isFile()) uploads.push(await uploadFound(path));
    else skipped(`skipped ${printable(path)}: ${entry.isSymbolicLink() ? "a symbolic link" : "not a regular file"}`);
  }
  return uploads;
}

/** A file that is gone or closed to the reader fails when its turn comes, and alone. */
async function uploadFound(path: string): Promise<NamedUpload> {
  const totalBytes = (await lstat(path).catch(() => undefined))?.size;
  return { path, name: fileName(path), totalBytes, repeatable: true, open: () => readFrames(path) };
}
