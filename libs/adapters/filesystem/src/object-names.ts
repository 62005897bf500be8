import { join } from "node:path";
import { checkLocator, type Locator } from "@graviton/ports/locator";
import { isStorageError } from "@graviton/ports/storage-error";

const folderMark = "~d";
const fileMark = "~f";

/**
 * The folder in which a path's last segment is, and the file's name in it.
 *
 * The path `a/b` is the file `b` in the folder `a~d`, so that the object `a` may stand beside it as the file `a`. A file
 * whose own name ends in `~d` or `~f` has another `~f` behind it: no two paths share a file, and every name can be read
 * back by {@link segmentOfFile} and {@link segmentOfFolder}. A mark adds two bytes to the 200 that a segment has at
 * most, within the 255 of file systems.
 */
export function placeOf(root: string, { bucket, path }: Locator): { folder: string; name: string } {
  const segments = path.split("/");
  const name = segments.pop() ?? "";
  return { folder: folderOf(root, bucket, segments), name: hasMark(name) ? name + fileMark : name };
}

/** The folder of the objects of a bucket below these segments. */
export function folderOf(root: string, bucket: string, segments: readonly string[]): string {
  return join(root, bucket, ...segments.map((segment) => segment + folderMark));
}

/** The segment that a file's name stands for. */
export function segmentOfFile(name: string): string | undefined {
  if (name.endsWith(fileMark) && hasMark(name.slice(0, -fileMark.length))) return name.slice(0, -fileMark.length);
  return hasMark(name) ? undefined : name;
}

/** The segment that a folder's name stands for. */
export function segmentOfFolder(name: string): string | undefined {
  return name.endsWith(folderMark) ? name.slice(0, -folderMark.length) : undefined;
}

/** The locator of a path found on the disk, or undefined for a name that somebody else put there. */
export function locatorOf(bucket: string, path: string): Locator | undefined {
  try {
    return checkLocator({ scheme: "fs", bucket, path });
  } catch (error) {
    if (isStorageError(error)) return undefined;
    throw error;
  }
}

function hasMark(name: string): boolean {
  return name.endsWith(folderMark) || name.endsWith(fileMark);
}
