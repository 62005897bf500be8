import { access, constants, mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errorCode, StorageError } from "@graviton/ports/storage-error";

/**
 * Makes a folder for data unless it is there, and gives its absolute path.
 *
 * @throws StorageError UNAVAILABLE when it cannot be written to
 */
export async function makeDataFolder(folder: string): Promise<string> {
  const root = resolve(folder);
  try {
    await makeFolder(root);
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StorageError(
      "UNAVAILABLE",
      `cannot write to the data folder ${root}: make it writable, or name another one`,
      { resource: root, cause: error },
    );
  }
  return root;
}

/** One folder at a time: Node's own way to make parents never returns where the system refuses a folder with ENOENT. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (errorCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}
