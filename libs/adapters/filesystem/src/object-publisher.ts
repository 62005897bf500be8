import { dirname, join } from "node:path";
import type { Locator } from "@graviton/ports/locator";
import { objectExists } from "@graviton/ports/object-errors";
import { errorCode, StorageError } from "@graviton/ports/storage-error";
import { isAbsent } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import type { Folders } from "./folders.ts";
import { publishAttemptsMax } from "./limits.ts";
import { placeOf } from "./object-names.ts";
import { isInside } from "./object-walk.ts";

/** Gives objects their names and takes them away, durably, and keeps the folders that this needs. */
export class ObjectPublisher {
  readonly #root: string;
  readonly #files: FileLayer;
  readonly #folders: Folders;

  constructor(root: string, files: FileLayer, folders: Folders) {
    this.#root = root;
    this.#files = files;
    this.#folders = folders;
  }

  /**
   * Makes a temporary file the object, atomically.
   *
   * @throws StorageError ALREADY_EXISTS with `create`, when there is an object
   */
  async publish(temporary: string, locator: Locator, create: boolean): Promise<void> {
    const { folder } = placeOf(this.#root, locator);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#folders.ensure(folder);
        await this.#name(temporary, locator, create);
        break;
      } catch (error) {
        // A delete removed the folder as empty just then.
        if (errorCode(error) !== "ENOENT" || attempt === publishAttemptsMax) throw error;
        this.#folders.forget(folder);
      }
    }
    await this.#flush(folder);
    // Whoever made the folder again meanwhile may not have flushed the one above yet.
    await this.#folders.made(folder);
  }

  /** Removes the object, if there is one, and the folders that it leaves empty. */
  async remove(locator: Locator): Promise<void> {
    const { folder, name } = placeOf(this.#root, locator);
    if (!(await isInside(this.#files, folder))) {
      await this.#files.lstat(this.#root);
      return;
    }
    try {
      await this.#files.unlink(join(folder, name));
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    // Also where it was absent: whoever removed it may have failed before the flush.
    await this.#flush(folder);
    await this.#prune(folder);
  }

  async #name(temporary: string, locator: Locator, create: boolean): Promise<void> {
    const { folder, name } = placeOf(this.#root, locator);
    if (!(await isInside(this.#files, folder))) await this.#refuseLink(folder);
    if (!create) return this.#files.rename(temporary, join(folder, name));
    try {
      await this.#files.link(temporary, join(folder, name));
    } catch (error) {
      if (errorCode(error) === "EEXIST") throw objectExists(locator);
      throw error;
    }
    await this.#files.unlink(temporary).catch(() => {});
  }

  async #refuseLink(folder: string): Promise<void> {
    await this.#files.lstat(folder);
    throw new StorageError("UNAVAILABLE", `folder ${folder} is reached through a symbolic link: remove the link`, {
      resource: folder,
    });
  }

  async #flush(folder: string): Promise<void> {
    try {
      await this.#folders.flush(folder);
    } catch (error) {
      // A folder that is gone by now was empty, so there is no name in it to keep.
      if (!isAbsent(error)) throw error;
    }
  }

  async #prune(folder: string): Promise<void> {
    for (let empty = folder; empty !== this.#root; empty = dirname(empty)) {
      this.#folders.forget(empty);
      try {
        await this.#files.rmdir(empty);
      } catch {
        // Not empty, or somebody else was faster. An empty folder that stays is in nobody's way.
        return;
      }
    }
  }
}
