import { join, resolve } from "node:path";
import { type ByteRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import { checkLocator, formatLocator, type Locator, type LocatorPrefix } from "@graviton/ports/locator";
import { objectExists } from "@graviton/ports/object-errors";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import { translated } from "./file-error.ts";
import { type FileLayer, nodeFiles } from "./file-layer.ts";
import { Folders } from "./folders.ts";
import { Format } from "./format.ts";
import { ObjectPublisher } from "./object-publisher.ts";
import { ObjectReader } from "./object-reader.ts";
import { ObjectWriter, type ObjectWriterParts } from "./object-writer.ts";
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
  readonly #reader: ObjectReader;
  readonly #writer: ObjectWriter;

  private constructor(parts: ObjectWriterParts) {
    this.#reader = new ObjectReader(parts.root, parts.files);
    this.#writer = new ObjectWriter(parts);
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
      const format = new Format("graviton-objects 1", resolve(folder), path, ".graviton", files);
      const marked = await format.check();
      const root = await realRoot(resolve(folder), files);
      const folders = new Folders(files, root);
      const staging = await Staging.open(join(root, ".graviton", "temporary"), folders, files);
      if (!marked) await format.mark(staging, folders);
      return new FilesystemObjectStore({
        root,
        files,
        staging,
        now,
        publisher: new ObjectPublisher(root, files, folders),
      });
    });
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => this.#reader.find(checkLocator(locator, "fs")));
  }

  list(prefix: LocatorPrefix, options: ObjectListOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#lifetime.stream(options, () => this.#reader.list(prefix, options));
  }

  get(locator: Locator, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => this.#reader.get(locator, range));
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const checked = checkLocator(locator, "fs");
      if (options?.ifAbsent) await this.#expectAbsent(checked);
      return this.#writer.put(checked, abortable(bytes, callSignal(options)), options);
    });
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      await this.#writer.remove(checkLocator(locator, "fs"));
    });
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const source = checkLocator(from, "fs");
      const target = checkLocator(to, "fs");
      const info = await this.#reader.find(source);
      return formatLocator(source) === formatLocator(target) ? info : this.#writer.copy(source, target, options);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #expectAbsent(locator: Locator): Promise<void> {
    if ((await this.#reader.look(locator)) !== undefined) throw objectExists(locator);
  }
}

/** The root's path without links, which the checks of everything below it compare with. */
async function realRoot(folder: string, files: FileLayer): Promise<string> {
  await new Folders(files, folder).ensure(folder);
  return files.realpath(folder);
}
