import { type BigIntStats, constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type ByteRange, checkRange, resolveRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  checkLocator,
  checkLocatorPrefix,
  formatLocator,
  type Locator,
  type LocatorPrefix,
} from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import { errorCode } from "@graviton/ports/storage-error";
import { closing, readFully, writeFully } from "./file-bytes.ts";
import { isAbsent, translated } from "./file-error.ts";
import { type FileLayer, nodeFiles } from "./file-layer.ts";
import { Folders } from "./folders.ts";
import { Format } from "./format.ts";
import { objectFrameBytes, openObjectsMax } from "./limits.ts";
import { objectCutShort, objectExists, objectNotFound, tooManyReaders } from "./object-errors.ts";
import { placeOf } from "./object-names.ts";
import { ObjectPublisher } from "./object-publisher.ts";
import { isInside, walk } from "./object-walk.ts";
import { Staging } from "./staging.ts";

/** What a {@link FilesystemObjectStore} stands on, where it is not the usual. */
export interface FilesystemObjectStoreOptions {
  readonly files?: FileLayer;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * One readable file per object: `fs://bucket/a/b` is the file `b` in the folder `<root>/bucket/a~d`; `placeOf` says how
 * names are made. What belongs to no bucket is in `<root>/.graviton`, which is no bucket's name.
 *
 * The root must be on a file system that tells upper from lower case. Symbolic links below it lead nowhere: what stands
 * behind one is not there.
 */
export class FilesystemObjectStore implements MutableObjectStore {
  readonly #lifetime = new Lifetime("FilesystemObjectStore");
  readonly #root: string;
  readonly #files: FileLayer;
  readonly #staging: Staging;
  readonly #publisher: ObjectPublisher;
  readonly #now: () => number;
  #lastModifiedUs = 0;
  #reading = 0;

  private constructor(root: string, files: FileLayer, staging: Staging, folders: Folders, now: () => number) {
    this.#root = root;
    this.#files = files;
    this.#staging = staging;
    this.#publisher = new ObjectPublisher(root, files, folders);
    this.#now = now;
  }

  /**
   * Opens a folder, makes it where needed, and removes what a crash left unfinished.
   *
   * @throws StorageError UNSUPPORTED for a folder in another format; UNAVAILABLE for one that refuses access
   */
  static open(
    folder: string,
    { files = nodeFiles, now = Date.now }: FilesystemObjectStoreOptions = {},
  ): Promise<FilesystemObjectStore> {
    return translated(resolve(folder), undefined, async () => {
      const path = join(resolve(folder), ".graviton", "format");
      const format = new Format("graviton-objects 1", resolve(folder), path, files);
      const marked = await format.check();
      const root = await realRoot(resolve(folder), files);
      const folders = new Folders(files, root);
      const staging = await Staging.open(join(root, ".graviton", "temporary"), folders, files);
      if (!marked) await format.mark(staging, folders);
      return new FilesystemObjectStore(root, files, staging, folders, now);
    });
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => this.#find(checkLocator(locator, "fs")));
  }

  list(prefix: LocatorPrefix, options: ObjectListOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#lifetime.stream(options, () => this.#list(prefix, options));
  }

  get(locator: Locator, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => this.#get(locator, range));
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const checked = checkLocator(locator, "fs");
      if (options?.ifAbsent) await this.#expectAbsent(checked);
      return this.#put(checked, abortable(bytes, options?.signal), options);
    });
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const checked = checkLocator(locator, "fs");
      await this.#translated(checked, () => this.#publisher.remove(checked));
    });
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const source = checkLocator(from, "fs");
      const target = checkLocator(to, "fs");
      const info = await this.#find(source);
      return formatLocator(source) === formatLocator(target) ? info : this.#copy(source, target, options);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    const versions: ObjectInfo[] = [];
    return this.#staging.write(
      async (file) => {
        for await (const frame of bytes) await this.#translated(locator, () => writeFully(file, frame));
        versions.push(await this.#translated(locator, () => this.#sealed(file, locator)));
      },
      async (temporary) => {
        checkCall(options);
        const create = options?.ifAbsent === true;
        await this.#translated(locator, () => this.#publisher.publish(temporary, locator, create));
        return versions[0] as ObjectInfo;
      },
    );
  }

  async #copy(from: Locator, to: Locator, options: CallOptions | undefined): Promise<ObjectInfo> {
    return this.#staging.use(async (temporary) => {
      await this.#translated(from, () => this.#copyFile(from, temporary));
      return this.#translated(to, async () => {
        const file = await this.#files.open(temporary, "r+");
        const info = await closing(file, async () => {
          const sealed = await this.#sealed(file, to);
          await file.sync();
          return sealed;
        });
        checkCall(options);
        await this.#publisher.publish(temporary, to, false);
        return info;
      });
    });
  }

  async #copyFile(from: Locator, temporary: string): Promise<void> {
    try {
      const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
      await this.#files.copyFile(this.#path(from), temporary, mode);
    } catch (error) {
      if (isAbsent(error)) await this.#find(from);
      throw error;
    }
  }

  /** Gives the version its time, and so its etag: a time that no other version of this store has. */
  async #sealed(file: FileHandle, locator: Locator): Promise<ObjectInfo> {
    // The kernel's own clock moves in steps of milliseconds, in which two versions would look alike.
    this.#lastModifiedUs = Math.max(this.#lastModifiedUs + 1, this.#now() * 1000);
    await file.utimes(this.#lastModifiedUs / 1e6, this.#lastModifiedUs / 1e6);
    return infoOf(locator, await file.stat({ bigint: true }));
  }

  async *#list(prefix: LocatorPrefix, options: ObjectListOptions): AsyncGenerator<ObjectInfo, void, void> {
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

  async *#get(locator: Locator, range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
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
    await this.#find(locator);
    try {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      return await this.#files.open(this.#path(locator), flags);
    } catch (error) {
      if (isAbsent(error) || errorCode(error) === "ELOOP") throw objectNotFound(locator);
      throw error;
    }
  }

  async #expectAbsent(locator: Locator): Promise<void> {
    if ((await this.#look(locator)) !== undefined) throw objectExists(locator);
  }

  async #find(locator: Locator): Promise<ObjectInfo> {
    const info = await this.#look(locator);
    if (info === undefined) throw objectNotFound(locator);
    return info;
  }

  /** What is there, unless it is reached through a symbolic link. */
  async #look(locator: Locator): Promise<ObjectInfo | undefined> {
    const info = await this.#stat(locator);
    if (info === undefined) return undefined;
    const inside = await this.#translated(locator, () => isInside(this.#files, dirname(this.#path(locator))));
    return inside ? info : undefined;
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

/** The root's path without links, which the checks of everything below it compare with. */
async function realRoot(folder: string, files: FileLayer): Promise<string> {
  await new Folders(files, folder).ensure(folder);
  return files.realpath(folder);
}

function infoOf(locator: Locator, { ino, mtimeNs, size }: BigIntStats): ObjectInfo {
  return {
    locator,
    size: Number(size),
    modifiedAt: Number(mtimeNs / 1_000_000n),
    etag: [ino, mtimeNs, size].map((part) => part.toString(36)).join("-"),
  };
}
