import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import type { SpreadBlockStore } from "@graviton/decorators/spread-block-store";
import type { BlobInfo, BlobListOptions, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { type ByteRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import { formatLocator, type Locator, parseLocator } from "@graviton/ports/locator";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { BlobWritePlan } from "@graviton/ports/plan";
import type { ReplicaIndex } from "@graviton/ports/replica-index";

/** What a {@link LocatedBlobStore} stands on. It owns none of it. */
export interface LocatedBlobStoreParts {
  readonly blocks: SpreadBlockStore;
  readonly manifests: ManifestStore;
  readonly replicas: ReplicaIndex;
  /** Told of each blob that was put. */
  readonly onPut: (receipt: BlobReceipt) => void;
  /** Told when the replica index could not be asked or told: blobs are whole without it, and reads just know less. */
  readonly onIndexError: (error: unknown) => void;
}

/**
 * Blobs whose blocks live in several places: notes in the replica index where the blocks of each blob are, and reads
 * them there first.
 */
export class LocatedBlobStore implements BlobStore {
  readonly #parts: LocatedBlobStoreParts;
  readonly #blobs: CasBlobStore;
  readonly #lifetime: Lifetime;

  constructor(parts: LocatedBlobStoreParts) {
    this.#parts = parts;
    this.#blobs = new CasBlobStore(parts);
    this.#lifetime = new Lifetime("LocatedBlobStore", () => this.#blobs[Symbol.asyncDispose]());
  }

  put(plan: BlobWritePlan, bytes: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<BlobReceipt> {
    return this.#lifetime.run(options, async () => {
      const receipt = await this.#blobs.put(plan, bytes, options);
      this.#parts.onPut(receipt);
      await this.#tell(() => this.#note(receipt, options));
      return receipt;
    });
  }

  get(key: Key, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => this.#get(key, range, options));
  }

  stat(key: Key, options?: CallOptions): Promise<BlobInfo> {
    return this.#lifetime.run(options, () => this.#blobs.stat(key, options));
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      await this.#blobs.delete(key, options);
      await this.#tell(() => this.#parts.replicas.update(key, [], options));
    });
  }

  list(options?: BlobListOptions): AsyncIterable<BlobInfo> {
    return this.#lifetime.stream(options, () => this.#blobs.list(options));
  }

  findMissing(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, () => this.#blobs.findMissing(keys, options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#get(key: Key, range: ByteRange, options: CallOptions | undefined): AsyncGenerator<Uint8Array, void, void> {
    // Where all see the same blocks there is nothing to learn.
    const known = this.#parts.blocks.locations.length > 1 ? await this.#known(key, options) : [];
    if (known.length === 0) {
      yield* this.#blobs.get(key, range, options);
      return;
    }
    const { blocks, manifests } = this.#parts;
    await using nearest = new CasBlobStore({ blocks: blocks.preferring(known), manifests });
    yield* nearest.get(key, range, options);
  }

  async #known(key: Key, options: CallOptions | undefined): Promise<readonly string[]> {
    const locators = await this.#tell(() => this.#parts.replicas.replicas(key, options));
    return (locators ?? []).map(formatLocator);
  }

  /** Adds the places of a blob's blocks to those that the index has. */
  async #note({ confirmed: { key }, created }: BlobReceipt, options: CallOptions | undefined): Promise<void> {
    // Of a blob that was not there nobody has noted anything.
    const before = created ? [] : await this.#parts.replicas.replicas(key, options);
    const texts = new Set(before.map(formatLocator));
    for (const location of await this.#placesOf(key, options)) texts.add(location);
    if (texts.size > before.length) await this.#parts.replicas.update(key, locators(texts), options);
  }

  /** Asked of the places themselves: a block may be where others stood in for its first place, or where it was before. */
  async #placesOf(key: Key, options: CallOptions | undefined): Promise<Set<string>> {
    const all = this.#parts.blocks.locations;
    const places = new Set<string>();
    if (all.length === 1 && key.size > 0) return new Set(all);
    for await (const page of this.#parts.manifests.blockRefs(key, wholeRange, options)) {
      const keys = page.map(({ block }) => block);
      for (const place of await this.#parts.blocks.holders(keys, options)) places.add(place);
      if (places.size === all.length) break;
    }
    return places;
  }

  async #tell<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#parts.onIndexError(error);
      return undefined;
    }
  }
}

/** A service that does not say where its blocks are has no locator. */
function locators(texts: ReadonlySet<string>): Locator[] {
  return [...texts].filter((text) => text.includes("://")).map(parseLocator);
}
