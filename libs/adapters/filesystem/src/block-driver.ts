import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BlockDriver } from "@graviton/ports/block-store";
import { checkCall } from "@graviton/ports/call-options";
import { formatKey, type Key } from "@graviton/ports/key";
import { errorCode } from "@graviton/ports/storage-error";
import { closing, readFully, writeFully } from "./file-bytes.ts";
import { isAbsent, translated } from "./file-error.ts";
import { type FileLayer, nodeFiles } from "./file-layer.ts";
import { FolderChanges } from "./folder-changes.ts";
import { Folders } from "./folders.ts";
import { Format } from "./format.ts";
import { openBlocksMax, presenceChecksMax } from "./limits.ts";
import { Slots } from "./slots.ts";
import { Staging } from "./staging.ts";
import { storageId } from "./storage-id.ts";

/**
 * One file per block, `blocks/<first two digits of the digest>/<algorithm>-<digest>-<size>`, and nothing else: the files
 * are the index. One level of 256 folders: ten million blocks are 40,000 names a folder, which every file system of
 * today indexes, while a second level would give a small store a folder, and two more flushes, for each block.
 *
 * A file appears under its name by a rename, whole and flushed. A write has succeeded once its folder is flushed too,
 * and a block counts as stored only in a folder that is.
 */
export class FilesystemBlockDriver implements BlockDriver {
  readonly concurrency = 16;
  readonly #root: string;
  readonly #files: FileLayer;
  readonly #folders: Folders;
  readonly #changes: FolderChanges;
  readonly #staging: Staging;
  readonly #handles = new Slots(openBlocksMax);
  readonly #checks = new Slots(presenceChecksMax);

  private constructor(root: string, files: FileLayer, folders: Folders, staging: Staging) {
    this.#root = root;
    this.#files = files;
    this.#folders = folders;
    this.#changes = new FolderChanges(folders);
    this.#staging = staging;
  }

  /**
   * Opens a folder, makes it where needed, and removes what a crash left unfinished.
   *
   * @throws StorageError UNSUPPORTED for a folder in another format; UNAVAILABLE for one that refuses access
   */
  static open(folder: string, files: FileLayer = nodeFiles): Promise<FilesystemBlockDriver> {
    const root = resolve(folder);
    return translated(root, undefined, async () => {
      const folders = new Folders(files, root);
      const format = new Format("graviton-blocks 1", root, join(root, "format"), "temporary", files);
      const marked = await format.check();
      const staging = await Staging.open(join(root, "temporary"), folders, files);
      if (!marked) await format.mark(staging, folders);
      return new FilesystemBlockDriver(root, files, folders, staging);
    });
  }

  /** A file of the wrong size is no block. */
  async has(keys: readonly Key[], signal?: AbortSignal): Promise<boolean[]> {
    const found = await Promise.all(keys.map((key) => this.#checks.run(() => this.#has(key, signal))));
    if (found.includes(false)) await translated(this.#root, undefined, () => this.#expectRoot());
    return found;
  }

  read(key: Key, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#handles.run(() => {
      checkCall({ signal });
      return translated(this.#root, formatKey(key), () => this.#read(key));
    });
  }

  write(key: Key, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#handles.run(() => {
      checkCall({ signal });
      return translated(this.#root, formatKey(key), () => this.#write(key, bytes, signal));
    });
  }

  async remove(key: Key, signal?: AbortSignal): Promise<void> {
    checkCall({ signal });
    await translated(this.#root, formatKey(key), () => this.#remove(key));
  }

  /** What {@link storageId} says of the folder. */
  id(): Promise<string> {
    const parts = { root: this.#root, files: this.#files, folders: this.#folders, staging: this.#staging };
    return translated(this.#root, undefined, () => storageId(parts));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #has(key: Key, signal: AbortSignal | undefined): Promise<boolean> {
    checkCall({ signal });
    return translated(this.#root, formatKey(key), async () => {
      try {
        const found = await this.#files.lstat(this.#path(key));
        if (!found.isFile() || found.size !== key.size) return false;
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
      await this.#changes.settle(this.#folder(key));
      return true;
    });
  }

  async #read(key: Key): Promise<Uint8Array | undefined> {
    const file = await this.#open(this.#path(key));
    if (file === undefined) {
      await this.#expectRoot();
      return undefined;
    }
    // One byte more than there should be, so that a file that grew is not taken for the block.
    return closing(file, () => readFully(file, 0, key.size + 1));
  }

  async #open(path: string): Promise<FileHandle | undefined> {
    try {
      return await this.#files.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Throws when the whole folder is gone, a volume that is not mounted, say: then nothing can be called absent. */
  async #expectRoot(): Promise<void> {
    await this.#files.lstat(join(this.#root, "format"));
  }

  async #write(key: Key, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const folder = this.#folder(key);
    await this.#staging.write(
      (file) => writeFully(file, bytes),
      async (temporary) => {
        checkCall({ signal });
        this.#changes.touch(folder);
        await this.#publish(temporary, key);
        this.#changes.touch(folder);
      },
    );
    await this.#changes.settle(folder);
  }

  async #publish(temporary: string, key: Key): Promise<void> {
    const folder = this.#folder(key);
    await this.#folders.ensure(folder);
    try {
      await this.#files.rename(temporary, this.#path(key));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      // Somebody removed the folder.
      this.#folders.forget(folder);
      await this.#folders.ensure(folder);
      await this.#files.rename(temporary, this.#path(key));
    }
  }

  async #remove(key: Key): Promise<void> {
    const folder = this.#folder(key);
    try {
      this.#changes.touch(folder);
      await this.#files.unlink(this.#path(key));
      this.#changes.touch(folder);
      await this.#changes.settle(folder);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      await this.#expectRoot();
    }
  }

  #folder(key: Key): string {
    return join(this.#root, "blocks", key.digest.slice(0, 2));
  }

  #path(key: Key): string {
    return join(this.#folder(key), `${key.algorithm}-${key.digest}-${key.size}`);
  }
}
