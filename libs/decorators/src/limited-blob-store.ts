import type { BlobInfo, BlobListOptions, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import type { BlobWritePlan } from "@graviton/ports/plan";
import type { Places } from "./places.ts";

/** Lets puts and gets in only while there are places: each of them holds a window of bytes for as long as its client likes. */
export class LimitedBlobStore implements BlobStore {
  readonly #store: BlobStore;
  readonly #places: Places;
  /** Counts the calls that wait for a place, of which the store does not know yet. */
  readonly #lifetime: Lifetime;

  /** @param store owned: disposed with this */
  constructor(store: BlobStore, places: Places) {
    this.#store = store;
    this.#places = places;
    this.#lifetime = new Lifetime("LimitedBlobStore", async () => store[Symbol.asyncDispose]());
  }

  put(plan: BlobWritePlan, bytes: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<BlobReceipt> {
    return this.#run(options, () => this.#store.put(plan, bytes, options));
  }

  get(key: Key, range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#stream(options, () => this.#store.get(key, range, options));
  }

  stat(key: Key, options?: CallOptions): Promise<BlobInfo> {
    return this.#store.stat(key, options);
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#store.delete(key, options);
  }

  list(options?: BlobListOptions): AsyncIterable<BlobInfo> {
    return this.#store.list(options);
  }

  findMissing(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#store.findMissing(keys, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #run<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    return this.#lifetime.run(options, () => this.#places.run(options, call));
  }

  #stream<T>(options: CallOptions | undefined, open: () => AsyncIterable<T>): AsyncIterable<T> {
    return this.#lifetime.stream(options, () => this.#places.stream(options, open));
  }
}
