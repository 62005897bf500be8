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
import { LevelDatabase } from "./database.ts";
import { KeyValueScans } from "./key-value-scans.ts";
import { recordKey } from "./tables.ts";
import { type Change, del, put } from "./update.ts";

/** One record a pair. Scans last as long as their reader likes; see {@link KeyValueScans} for how. */
export class LevelKeyValueStore implements KeyValueStore {
  readonly #database: LevelDatabase;
  readonly #scans: KeyValueScans;
  readonly #lifetime: Lifetime;

  /**
   * @param close called once after the last call has ended, by a store that owns its database to dispose of it
   */
  constructor(database: LevelDatabase, close?: () => Promise<void>) {
    this.#database = database;
    this.#scans = KeyValueScans.of(database);
    this.#lifetime = new Lifetime("LevelKeyValueStore", close);
  }

  /** Opens a database for this store alone, and closes it with the store. Throws what `LevelDatabase.open` throws. */
  static async open(folder: string): Promise<LevelKeyValueStore> {
    const database = await LevelDatabase.open(folder);
    return new LevelKeyValueStore(database, () => database[Symbol.asyncDispose]());
  }

  get(key: string, options?: CallOptions): Promise<Uint8Array | undefined> {
    return this.#lifetime.run(options, async () => {
      const value = await this.#database.get(pairKey(checkKeyValueKey(key)));
      return value === undefined ? undefined : new Uint8Array(value);
    });
  }

  put(key: string, value: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      checkKeyValueValue(checkKeyValueKey(key), value);
      await this.#apply([put(pairKey(key), value)]);
    });
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => this.#apply([del(pairKey(checkKeyValueKey(key)))]));
  }

  batch(operations: readonly KeyValueOperation[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const last = new Map(checkKeyValueBatch(operations).map((operation) => [operation.key, operation]));
      await this.#apply([...last.values()].map(changeOf));
    });
  }

  compareAndSwap(
    key: string,
    expected: Uint8Array | undefined,
    next: Uint8Array | undefined,
    options?: CallOptions,
  ): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const pair = pairKey(checkKeyValueKey(key));
      if (next !== undefined) checkKeyValueValue(key, next);
      const change = next === undefined ? del(pair) : put(pair, next);
      const wanted = expected === undefined ? undefined : Buffer.from(expected);
      await this.#database.update({
        reads: () => [pair, ...this.#scans.reads([pair])],
        changes: (read) => {
          if (!sameBytes(read(pair), wanted)) throw compareAndSwapLost(key);
          return [...this.#scans.undo([pair], read), change];
        },
      });
    });
  }

  scan(range: KeyValueRange, options?: CallOptions): AsyncIterable<KeyValuePair> {
    return this.#lifetime.stream(options, () => this.#scans.scan(checkKeyValueRange(range)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #apply(changes: readonly Change[]): Promise<void> {
    const pairs = changes.map(({ key }) => key);
    await this.#database.update({
      reads: () => this.#scans.reads(pairs),
      changes: (read) => [...this.#scans.undo(pairs, read), ...changes],
    });
  }
}

function pairKey(key: string): Buffer {
  return recordKey("pairs", key);
}

function changeOf(operation: KeyValueOperation): Change {
  return operation.kind === "put" ? put(pairKey(operation.key), operation.value) : del(pairKey(operation.key));
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
