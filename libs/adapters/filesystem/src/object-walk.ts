import type { Dirent } from "node:fs";
import { compareBytes } from "@graviton/ports/byte-order";
import type { Locator, LocatorPrefix } from "@graviton/ports/locator";
import { errorCode } from "@graviton/ports/storage-error";
import { isAbsent } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import { folderOf, locatorOf, segmentOfFile, segmentOfFolder } from "./object-names.ts";

/**
 * The locators of a bucket's objects that begin with the prefix and come after `after`, in the byte order of their
 * paths. Reads one folder at a time, and none that cannot hold such an object. Symbolic links are passed over.
 */
export async function* walk(
  files: FileLayer,
  root: string,
  prefix: LocatorPrefix,
  after: string | undefined,
): AsyncGenerator<Locator, void, void> {
  const segments = prefix.path.split("/").slice(0, -1);
  if (await isInside(files, folderOf(root, prefix.bucket, segments))) {
    yield* walkFolder({ files, root, prefix, after }, segments);
  }
}

/** True for a folder that is there and is reached through no symbolic link. `folder` must begin with a real path. */
export async function isInside(files: FileLayer, folder: string): Promise<boolean> {
  try {
    return (await files.realpath(folder)) === folder;
  } catch (error) {
    if (isAbsent(error) || errorCode(error) === "ELOOP") return false;
    throw error;
  }
}

interface Walk {
  readonly files: FileLayer;
  readonly root: string;
  readonly prefix: LocatorPrefix;
  readonly after: string | undefined;
}

async function* walkFolder(walk: Walk, segments: readonly string[]): AsyncGenerator<Locator, void, void> {
  const base = segments.map((segment) => `${segment}/`).join("");
  for (const { path, segment, isFolder } of await entriesOf(walk, segments, base)) {
    if (isFolder) {
      if (mayHold(walk, path)) yield* walkFolder(walk, [...segments, segment]);
      continue;
    }
    const locator = holds(walk, path) ? locatorOf(walk.prefix.bucket, path) : undefined;
    if (locator !== undefined) yield locator;
  }
}

interface Entry {
  /** The object's path, or what the paths of all objects in the folder begin with, its `/` included. */
  readonly path: string;
  readonly segment: string;
  readonly isFolder: boolean;
}

async function entriesOf(walk: Walk, segments: readonly string[], base: string): Promise<Entry[]> {
  const found = await dirents(walk.files, folderOf(walk.root, walk.prefix.bucket, segments));
  const entries = found.map((dirent) => entryOf(dirent, base)).filter((entry) => entry !== undefined);
  // A folder is sorted with its "/", as the paths of the objects in it are.
  return entries.sort((a, b) => compareBytes(a.path, b.path));
}

async function dirents(files: FileLayer, folder: string): Promise<Dirent[]> {
  try {
    return await files.readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function entryOf(dirent: Dirent, base: string): Entry | undefined {
  const isFolder = dirent.isDirectory();
  if (!isFolder && !dirent.isFile()) return undefined;
  const segment = isFolder ? segmentOfFolder(dirent.name) : segmentOfFile(dirent.name);
  return segment === undefined ? undefined : { path: `${base}${segment}${isFolder ? "/" : ""}`, segment, isFolder };
}

function holds({ prefix, after }: Walk, path: string): boolean {
  return path.startsWith(prefix.path) && (after === undefined || compareBytes(path, after) > 0);
}

function mayHold({ prefix, after }: Walk, begin: string): boolean {
  const inPrefix = begin.startsWith(prefix.path) || prefix.path.startsWith(begin);
  return inPrefix && (after === undefined || after.startsWith(begin) || compareBytes(begin, after) > 0);
}
