import type { BlockInput, BlockStore, PutBlocksEvent, StoredBytes } from "@graviton/ports/block-store";
import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Key } from "@graviton/ports/key";
import type { BlockWritePlan } from "@graviton/ports/plan";
import type { Places } from "./places.ts";

/** Lets calls that move blocks in only while there are places. */
export class LimitedBlockStore implements BlockStore {
  readonly #store: BlockStore;
  readonly #places: Places;

  /** @param store owned: disposed with this */
  constructor(store: BlockStore, places: Places) {
    this.#store = store;
    this.#places = places;
  }

  putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options?: CallOptions,
  ): AsyncIterable<PutBlocksEvent> {
    return this.#places.stream(options, () => this.#store.putBlocks(plan, blocks, options));
  }

  get(key: Key, range?: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#places.run(options, () => this.#store.get(key, range, options));
  }

  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#places.stream(options, () => this.#store.getMany(keys, options));
  }

  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]> {
    return this.#store.exists(keys, options);
  }

  delete(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#store.delete(keys, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
