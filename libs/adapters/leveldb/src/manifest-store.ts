import { checkAttributes } from "@graviton/ports/attributes";
import { type ByteRange, resolveRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, formatKey, type Key, parseKey } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  blobNotFound,
  checkedPages,
  entriesWithin,
  type ManifestHeader,
  type ManifestInfo,
  type ManifestPage,
  repaged,
} from "@graviton/ports/manifest";
import type { ManifestListOptions, ManifestReceipt, ManifestStore } from "@graviton/ports/manifest-store";
import { checkKeys } from "@graviton/ports/presence";
import { LevelDatabase } from "./database.ts";
import { removeLoosePages } from "./leftovers.ts";
import { pageRecordsMax } from "./limits.ts";
import { decodeHeader, headerKey, readHeader, type StoredHeader } from "./manifest-header.ts";
import { readPages } from "./manifest-reader.ts";
import { looseKey, ManifestUpload } from "./manifest-upload.ts";
import { afterKey, blockRecordKey, recordKey, recordRange } from "./tables.ts";
import { del, put } from "./update.ts";

/** One record a manifest and one for each 1,024 of its entries; and one for each block that somebody recorded. */
export class LevelManifestStore implements ManifestStore {
  readonly #database: LevelDatabase;
  readonly #lifetime: Lifetime;
  readonly #now: () => number;

  /**
   * @param close called once after the last call has ended, by a store that owns its database to dispose of it
   * @param now the clock, in milliseconds since 1970
   */
  constructor(database: LevelDatabase, close?: () => Promise<void>, now: () => number = Date.now) {
    this.#database = database;
    this.#lifetime = new Lifetime("LevelManifestStore", close);
    this.#now = now;
  }

  /** Opens a database for this store alone, and closes it with the store. Throws what `LevelDatabase.open` throws. */
  static async open(folder: string): Promise<LevelManifestStore> {
    const database = await LevelDatabase.open(folder);
    return new LevelManifestStore(database, () => database[Symbol.asyncDispose]());
  }

  put(header: ManifestHeader, pages: AsyncIterable<ManifestPage>, options?: CallOptions): Promise<ManifestReceipt> {
    return this.#lifetime.run(options, async () => {
      const key = checkKey(header.key);
      const attributes = checkAttributes(header.attributes);
      const upload = new ManifestUpload(this.#database, key);
      try {
        for await (const page of repaged(checkedPages(key, abortable(pages, callSignal(options)))))
          await upload.add(page);
        checkCall(options);
        return await upload.commit(attributes, this.#now());
      } catch (error) {
        await upload.abandon();
        throw error;
      }
    });
  }

  get(key: Key, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => this.#get(key));
  }

  stat(key: Key, options?: CallOptions): Promise<ManifestInfo> {
    return this.#lifetime.run(options, async () => (await this.#find(checkKey(key))).info);
  }

  blockRefs(key: Key, range: ByteRange, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => this.#blockRefs(key, range));
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => this.#delete(checkKey(key)));
  }

  list(options: ManifestListOptions = {}): AsyncIterable<ManifestInfo> {
    return this.#lifetime.stream(options, () => this.#list(options));
  }

  findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, async () => {
      const checked = checkKeys(keys);
      const recorded = await this.#database.hasMany(checked.map(blockRecordKey));
      return checked.filter((_, index) => !recorded[index]);
    });
  }

  recordBlocks(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const records = checkKeys(keys).map(blockRecordKey);
      const recorded = await this.#database.hasMany(records);
      const changes = records.filter((_, index) => !recorded[index]).map((record) => put(record));
      if (changes.length > 0) await this.#database.update({ changes: () => changes });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#get(key: Key): AsyncGenerator<ManifestPage, void, void> {
    const header = await this.#find(checkKey(key));
    yield* readPages(this.#database, header, { start: 0, end: key.size });
  }

  async *#blockRefs(key: Key, range: ByteRange): AsyncGenerator<ManifestPage, void, void> {
    const header = await this.#find(checkKey(key));
    const span = resolveRange(range, key.size, formatKey(key));
    for await (const page of readPages(this.#database, header, span)) {
      const within = entriesWithin(page, span);
      if (within.length > 0) yield within;
    }
  }

  async #delete(key: Key): Promise<void> {
    const record = headerKey(key);
    let generation: Buffer | undefined;
    await this.#database.update({
      reads: () => [record],
      changes: (read) => {
        const header = readHeader(key, read);
        if (header === "absent") return [];
        // Where the pages of a damaged one are nobody knows: they stay.
        if (header === "damaged") return [del(record)];
        generation = header.generation;
        return [del(record), put(looseKey(generation))];
      },
    });
    // It is deleted by now: pages that cannot be removed are removed when the database is opened next.
    if (generation !== undefined) await removeLoosePages(this.#database, generation).catch(() => {});
  }

  async *#list(options: ManifestListOptions): AsyncGenerator<ManifestInfo, void, void> {
    const { after, limit = Number.POSITIVE_INFINITY } = checkListOptions(options);
    const { gte, lt } = recordRange("manifests");
    let from = after === undefined ? gte : afterKey(recordKey("manifests", after));
    for (let left = limit; left > 0; ) {
      const page = await this.#database.page({ gte: from, lt, limit: Math.min(left, pageRecordsMax) });
      for (const { key, content } of page) yield decodeHeader(parseKey(key.toString("utf8", 1)), content).info;
      const last = page.at(-1);
      if (last === undefined) return;
      from = afterKey(last.key);
      left -= page.length;
    }
  }

  async #find(key: Key): Promise<StoredHeader> {
    const content = await this.#database.get(headerKey(key));
    if (content === undefined) throw blobNotFound(key);
    return decodeHeader(key, content);
  }
}
