import { type Attributes, checkAttributes } from "@graviton/ports/attributes";
import { type ByteRange, resolveRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, formatKey, type Key } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  blobNotFound,
  checkedPages,
  entriesWithin,
  type ManifestEntry,
  type ManifestHeader,
  type ManifestInfo,
  type ManifestPage,
  missingBlocks,
  repaged,
} from "@graviton/ports/manifest";
import type { ManifestListOptions, ManifestReceipt, ManifestStore } from "@graviton/ports/manifest-store";
import { checkKeys } from "@graviton/ports/presence";

/** What manifest stores share: both maps go from the text of a key. */
export class ManifestStorage {
  readonly manifests = new Map<string, StoredManifest>();
  /** The blocks that somebody recorded. */
  readonly blocks = new Map<string, Key>();
}

/** One manifest, never changed. */
export interface StoredManifest {
  readonly info: ManifestInfo;
  readonly pages: readonly ManifestPage[];
}

/** Manifests in a map, as the pages that readers get. */
export class InMemoryManifestStore implements ManifestStore {
  readonly #lifetime = new Lifetime("InMemoryManifestStore");
  readonly #storage: ManifestStorage;
  readonly #now: () => number;

  /**
   * @param storage shared by every store that is given the same one
   * @param now the clock, in milliseconds since 1970
   */
  constructor(storage = new ManifestStorage(), now: () => number = Date.now) {
    this.#storage = storage;
    this.#now = now;
  }

  put(header: ManifestHeader, pages: AsyncIterable<ManifestPage>, options?: CallOptions): Promise<ManifestReceipt> {
    return this.#lifetime.run(options, async () => {
      const key = checkKey(header.key);
      const advertised = copyOf(checkAttributes(header.attributes));
      const checked = await this.#collect(key, abortable(pages, callSignal(options)));
      checkCall(options);
      const there = this.#storage.manifests.get(formatKey(key));
      if (there !== undefined) return { created: false, info: there.info };
      const blockCount = checked.reduce((sum, page) => sum + page.length, 0);
      const info = { advertised, confirmed: { key, blockCount, createdAt: this.#now() } };
      this.#storage.manifests.set(formatKey(key), { info, pages: checked });
      return { created: true, info };
    });
  }

  get(key: Key, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => this.#get(key));
  }

  stat(key: Key, options?: CallOptions): Promise<ManifestInfo> {
    return this.#lifetime.run(options, async () => this.#find(key).info);
  }

  blockRefs(key: Key, range: ByteRange, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => this.#blockRefs(key, range));
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      this.#storage.manifests.delete(formatKey(checkKey(key)));
    });
  }

  list(options: ManifestListOptions = {}): AsyncIterable<ManifestInfo> {
    return this.#lifetime.stream(options, () => this.#list(options));
  }

  findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, async () => {
      return checkKeys(keys).filter((key) => !this.#storage.blocks.has(formatKey(key)));
    });
  }

  recordBlocks(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      for (const key of checkKeys(keys)) this.#storage.blocks.set(formatKey(key), key);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /** The pages as the store keeps them: full ones, and one object for each distinct block. */
  async #collect(key: Key, pages: AsyncIterable<ManifestPage>): Promise<ManifestPage[]> {
    const kept: ManifestPage[] = [];
    const missing = new Map<string, Key>();
    for await (const page of repaged(checkedPages(key, pages))) {
      kept.push(page.map((entry) => this.#known(entry, missing)));
    }
    if (missing.size > 0) throw missingBlocks(key, [...missing.values()]);
    return kept;
  }

  #known({ index, offset, block }: ManifestEntry, missing: Map<string, Key>): ManifestEntry {
    const text = formatKey(block);
    const known = this.#storage.blocks.get(text);
    if (known === undefined) missing.set(text, block);
    return { index, offset, block: known ?? block };
  }

  async *#get(key: Key): AsyncIterable<ManifestPage> {
    yield* this.#find(key).pages;
  }

  async *#blockRefs(key: Key, range: ByteRange): AsyncIterable<ManifestPage> {
    const { pages } = this.#find(key);
    const span = resolveRange(range, key.size, formatKey(key));
    const first = pages.findLastIndex((page) => (page[0]?.offset ?? 0) <= span.start);
    for (const page of pages.slice(Math.max(0, first))) {
      const within = entriesWithin(page, span);
      if (within.length === 0) return;
      yield within;
    }
  }

  async *#list(options: ManifestListOptions): AsyncIterable<ManifestInfo> {
    const { after = "", limit } = checkListOptions(options);
    // Texts of keys are ASCII, whose UTF-16 order is the byte order.
    const texts = [...this.#storage.manifests.keys()].filter((text) => text > after).sort();
    let left = limit ?? texts.length;
    for (const text of texts) {
      if (left === 0) return;
      const manifest = this.#storage.manifests.get(text);
      if (manifest === undefined) continue;
      left -= 1;
      yield manifest.info;
    }
  }

  #find(key: Key): StoredManifest {
    const manifest = this.#storage.manifests.get(formatKey(checkKey(key)));
    if (manifest === undefined) throw blobNotFound(key);
    return manifest;
  }
}

function copyOf(attributes: Attributes): Attributes {
  return attributes.custom === undefined ? { ...attributes } : { ...attributes, custom: { ...attributes.custom } };
}
