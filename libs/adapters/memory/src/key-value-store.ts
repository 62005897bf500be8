import { compareBytes } from "@graviton/ports/byte-order";
import type { CallOptions } from "@graviton/ports/call-options";
import {
  checkKeyValueBatch,
  checkKeyValueKey,
  checkKeyValueRange,
  checkKeyValueValue,
  compareAndSwapLost,
  type KeyValueOperation,
  type KeyValuePair,
  type KeyValueRange,
  type KeyValueStore,
} from "@graviton/ports/key-value-store";
import { Lifetime } from "@graviton/ports/lifetime";

/** Values in a map. A stored value is never changed, only replaced, so that a scan may hold on to what it saw. */
export class InMemoryKeyValueStore implements KeyValueStore {
  readonly #lifetime = new Lifetime("InMemoryKeyValueStore");
  readonly #storage: Map<string, Uint8Array>;

  /** @param storage shared by every store that is given the same one */
  constructor(storage = new Map<string, Uint8Array>()) {
    this.#storage = storage;
  }

  get(key: string, options?: CallOptions): Promise<Uint8Array | undefined> {
    return this.#lifetime.run(options, async () => copyOf(this.#storage.get(checkKeyValueKey(key))));
  }

  put(key: string, value: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      this.#set(checkKeyValueKey(key), checkKeyValueValue(key, value));
    });
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      this.#set(checkKeyValueKey(key), undefined);
    });
  }

  batch(operations: readonly KeyValueOperation[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      for (const operation of checkKeyValueBatch(operations)) {
        this.#set(operation.key, operation.kind === "put" ? operation.value : undefined);
      }
    });
  }

  compareAndSwap(
    key: string,
    expected: Uint8Array | undefined,
    next: Uint8Array | undefined,
    options?: CallOptions,
  ): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const current = this.#storage.get(checkKeyValueKey(key));
      if (next !== undefined) checkKeyValueValue(key, next);
      if (!sameValue(current, expected)) throw compareAndSwapLost(key);
      this.#set(key, next);
    });
  }

  scan(range: KeyValueRange, options?: CallOptions): AsyncIterable<KeyValuePair> {
    return this.#lifetime.stream(options, () => this.#scan(checkKeyValueRange(range)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#scan(range: KeyValueRange): AsyncIterable<KeyValuePair> {
    const snapshot = [...this.#storage].filter(([key]) => isWithin(range, key));
    snapshot.sort(([a], [b]) => compareBytes(a, b));
    for (const [key, value] of snapshot.slice(0, range.limit)) yield { key, value: value.slice() };
  }

  #set(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#storage.delete(key);
    else this.#storage.set(key, new Uint8Array(value));
  }
}

function isWithin({ prefix = "", after, from, before }: KeyValueRange, key: string): boolean {
  return (
    key.startsWith(prefix) &&
    (after === undefined || compareBytes(key, after) > 0) &&
    (from === undefined || compareBytes(key, from) >= 0) &&
    (before === undefined || compareBytes(key, before) < 0)
  );
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function copyOf(value: Uint8Array | undefined): Uint8Array | undefined {
  return value?.slice();
}
