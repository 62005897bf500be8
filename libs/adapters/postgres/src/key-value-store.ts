import type { CallOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
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
import { checksumOf } from "./checksum.ts";
import type { PostgresDatabase } from "./database.ts";
import { applyBatch } from "./key-value-batch.ts";
import { checkedValue, type KeyValueRow } from "./key-value-row.ts";
import { scan } from "./key-value-scan.ts";

const insert = "INSERT INTO key_values (key, value, checksum) VALUES ($1, $2, $3)";
const put = `${insert} ON CONFLICT (key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum`;

/** One row a key, the key as its bytes in UTF-8. */
export class PostgresKeyValueStore implements KeyValueStore {
  readonly #database: PostgresDatabase;
  readonly #lifetime: Lifetime;

  /** @param close called once after the last call has ended, by a store that owns its database to dispose of it */
  constructor(database: PostgresDatabase, close?: () => Promise<void>) {
    this.#database = database;
    this.#lifetime = new Lifetime("PostgresKeyValueStore", close);
  }

  get(key: string, options?: CallOptions): Promise<Uint8Array | undefined> {
    return this.#lifetime.run(options, async () => {
      const { rows } = await this.#database.query<KeyValueRow>(
        "SELECT key, value, checksum FROM key_values WHERE key = $1",
        [bytesOf(key)],
        callSignal(options),
      );
      return rows[0] === undefined ? undefined : checkedValue(rows[0]);
    });
  }

  put(key: string, value: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      await this.#database.query(put, row(bytesOf(key), checkKeyValueValue(key, value)), callSignal(options));
    });
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      await this.#database.query("DELETE FROM key_values WHERE key = $1", [bytesOf(key)], callSignal(options));
    });
  }

  batch(operations: readonly KeyValueOperation[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, () => {
      return applyBatch(this.#database, checkKeyValueBatch(operations), callSignal(options));
    });
  }

  compareAndSwap(
    key: string,
    expected: Uint8Array | undefined,
    next: Uint8Array | undefined,
    options?: CallOptions,
  ): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const name = bytesOf(key);
      if (next !== undefined) checkKeyValueValue(key, next);
      if (!(await this.#swap(name, expected, next, callSignal(options)))) throw compareAndSwapLost(key);
    });
  }

  scan(range: KeyValueRange, options?: CallOptions): AsyncIterable<KeyValuePair> {
    return this.#lifetime.stream(options, () => scan(this.#database, checkKeyValueRange(range), callSignal(options)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /** True when the value was the one expected. One statement each, which waits for whoever is changing the row. */
  async #swap(
    key: Buffer,
    expected: Uint8Array | undefined,
    next: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (expected === undefined)
      return next === undefined ? this.#isAbsent(key, signal) : this.#create(key, next, signal);
    const where = "WHERE key = $1 AND value = $2";
    const { count } =
      next === undefined
        ? await this.#database.query(`DELETE FROM key_values ${where}`, [key, expected], signal)
        : await this.#database.query(
            `UPDATE key_values SET value = $3, checksum = $4 ${where}`,
            [key, expected, next, checksumOf(key, next)],
            signal,
          );
    return count === 1;
  }

  async #isAbsent(key: Buffer, signal: AbortSignal | undefined): Promise<boolean> {
    const { count } = await this.#database.query("SELECT FROM key_values WHERE key = $1", [key], signal);
    return count === 0;
  }

  async #create(key: Buffer, value: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    const statement = `${insert} ON CONFLICT DO NOTHING`;
    const { count } = await this.#database.query(statement, row(key, value), signal);
    return count === 1;
  }
}

function bytesOf(key: string): Buffer {
  return Buffer.from(checkKeyValueKey(key));
}

function row(key: Buffer, value: Uint8Array): unknown[] {
  return [key, value, checksumOf(key, value)];
}
