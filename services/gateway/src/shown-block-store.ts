import type { BlockStore, StoredBytes } from "@graviton/ports/block-store";
import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Key } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";

/** Blocks to look at: for who verifies a blob. They come with blobs, and those who share them have to be asked first. */
export class ShownBlockStore implements BlockStore {
  readonly #blocks: BlockStore;

  /** @param blocks not owned */
  constructor(blocks: BlockStore) {
    this.#blocks = blocks;
  }

  get(key: Key, range?: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#blocks.get(key, range, options);
  }

  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#blocks.getMany(keys, options);
  }

  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]> {
    return this.#blocks.exists(keys, options);
  }

  putBlocks(): AsyncIterable<never> {
    throw notHere();
  }

  async delete(): Promise<never> {
    throw notHere();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function notHere(): StorageError {
  return new StorageError("UNSUPPORTED", "the gateway shows blocks, and stores them with their blobs alone");
}
