import type { BlockInput, BlockStore, PutBlocksEvent, StoredBytes } from "@graviton/ports/block-store";
import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import type { BlockWritePlan } from "@graviton/ports/plan";
import type { Places } from "./places.ts";

/** Lets calls that move blocks in only while there are places. */
export class LimitedBlockStore implements BlockStore {
  readonly #store: BlockStore;
  readonly #places: Places;
  /** Counts the calls that wait for a place, of which the store does not know yet. */
  readonly #lifetime: Lifetime;

  /** @param store owned: disposed with this */
  constructor(store: BlockStore, places: Places) {
    this.#store = store;
    this.#places = places;
    this.#lifetime = new Lifetime("LimitedBlockStore", async () => store[Symbol.asyncDispose]());
  }

  putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options?: CallOptions,
  ): AsyncIterable<PutBlocksEvent> {
    return this.#stream(options, () => this.#store.putBlocks(plan, blocks, options));
  }

  get(key: Key, range?: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#run(options, () => this.#store.get(key, range, options));
  }

  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#stream(options, () => this.#store.getMany(keys, options));
  }

  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]> {
    return this.#store.exists(keys, options);
  }

  delete(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#store.delete(keys, options);
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
