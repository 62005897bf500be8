import type { BlockDriver } from "@graviton/ports/block-store";
import { formatKey, type Key } from "@graviton/ports/key";

/** Blocks in a map, under the text of their keys. */
export class MemoryBlockDriver implements BlockDriver {
  readonly concurrency = 16;
  readonly #storage: Map<string, Uint8Array>;

  /** @param storage shared by every driver that is given the same one */
  constructor(storage = new Map<string, Uint8Array>()) {
    this.#storage = storage;
  }

  async has(keys: readonly Key[]): Promise<boolean[]> {
    return keys.map((key) => this.#storage.has(formatKey(key)));
  }

  async read(key: Key): Promise<Uint8Array | undefined> {
    return this.#storage.get(formatKey(key))?.slice();
  }

  async write(key: Key, bytes: Uint8Array): Promise<void> {
    this.#storage.set(formatKey(key), new Uint8Array(bytes));
  }

  async remove(key: Key): Promise<void> {
    this.#storage.delete(formatKey(key));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
