import { type BigIntStats, constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ByteRange, checkRange, resolveRange } from "@graviton/ports/byte-range";
import { checkListOptions } from "@graviton/ports/call-options";
import {
  checkLocator,
  checkLocatorPrefix,
  formatLocator,
  type Locator,
  type LocatorPrefix,
} from "@graviton/ports/locator";
import { objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo, ObjectListOptions } from "@graviton/ports/object-store";
import { errorCode } from "@graviton/ports/storage-error";
import { readFully } from "./file-bytes.ts";
import { isAbsent, translated } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import { objectFrameBytes, openObjectsMax } from "./limits.ts";
import { objectCutShort, tooManyReaders } from "./object-errors.ts";
import { placeOf } from "./object-names.ts";
import { isInside, walk } from "./object-walk.ts";

/** Finds objects on the disk and reads them. Locators are checked by then, unless it says that it checks. */
export class ObjectReader {
  readonly #root: string;
  readonly #files: FileLayer;
  #reading = 0;

  constructor(root: string, files: FileLayer) {
    this.#root = root;
    this.#files = files;
  }

  /** @throws StorageError NOT_FOUND */
  async find(locator: Locator): Promise<ObjectInfo> {
    const info = await this.look(locator);
    if (info === undefined) throw objectNotFound(locator);
    return info;
  }

  /** What is there, unless it is reached through a symbolic link. */
  async look(locator: Locator): Promise<ObjectInfo | undefined> {
    const info = await this.#stat(locator);
    if (info === undefined) return undefined;
    const inside = await this.#translated(locator, () => isInside(this.#files, dirname(this.#path(locator))));
    return inside ? info : undefined;
  }

  /** Checks its arguments; see {@link walk}. */
  async *list(prefix: LocatorPrefix, options: ObjectListOptions): AsyncGenerator<ObjectInfo, void, void> {
    const { bucket, path, scheme } = checkLocatorPrefix(prefix, "fs");
    const { after, limit = Number.POSITIVE_INFINITY } = checkListOptions(options);
    const resource = formatLocator(prefix);
    const locators = walk(this.#files, this.#root, { scheme, bucket, path }, after);
    try {
      for (let count = 0; count < limit; ) {
        const step = await translated(this.#root, resource, () => locators.next());
        if (step.done) break;
        const info = await this.#stat(step.value);
        if (info === undefined) continue;
        count += 1;
        yield info;
      }
    } finally {
      await locators.return();
    }
  }

  /** Checks its arguments. Reads from one handle, and so one version, which stays open until the last frame. */
  async *get(locator: Locator, range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    checkRange(range);
    const checked = checkLocator(locator, "fs");
    if (this.#reading >= openObjectsMax) throw tooManyReaders(checked);
    this.#reading += 1;
    try {
      yield* this.#frames(checked, range);
    } finally {
      this.#reading -= 1;
    }
  }

  async *#frames(locator: Locator, range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    const file = await this.#translated(locator, () => this.#open(locator));
    try {
      const { size } = await this.#translated(locator, () => file.stat());
      const { start, end } = resolveRange(range, size, formatLocator(locator));
      for (let at = start; at < end; ) {
        const length = Math.min(objectFrameBytes, end - at);
        const frame = await this.#translated(locator, () => readFully(file, at, length));
        if (frame.length < length) throw objectCutShort(locator, at + frame.length, size);
        at += frame.length;
        yield frame;
      }
    } finally {
      await file.close().catch(() => {});
    }
  }

  async #open(locator: Locator): Promise<FileHandle> {
    await this.find(locator);
    try {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      return await this.#files.open(this.#path(locator), flags);
    } catch (error) {
      if (isAbsent(error) || errorCode(error) === "ELOOP") throw objectNotFound(locator);
      throw error;
    }
  }

  async #stat(locator: Locator): Promise<ObjectInfo | undefined> {
    return this.#translated(locator, async () => {
      try {
        const found = await this.#files.lstat(this.#path(locator), { bigint: true });
        return found.isFile() ? infoOf(locator, found) : undefined;
      } catch (error) {
        if (!isAbsent(error)) throw error;
        // A root that is gone, a volume that is not mounted, say, makes nothing absent: this throws then.
        await this.#files.lstat(join(this.#root, ".graviton"));
        return undefined;
      }
    });
  }

  #path(locator: Locator): string {
    const { folder, name } = placeOf(this.#root, locator);
    return join(folder, name);
  }

  #translated<T>(locator: Locator, call: () => Promise<T>): Promise<T> {
    return translated(this.#root, formatLocator(locator), call);
  }
}

/** What is known of the version that has these stats. */
export function infoOf(locator: Locator, { ino, mtimeNs, size }: BigIntStats): ObjectInfo {
  return {
    locator,
    size: Number(size),
    modifiedAt: Number(mtimeNs / 1_000_000n),
    etag: [ino, mtimeNs, size].map((part) => part.toString(36)).join("-"),
  };
}
