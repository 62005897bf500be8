import type { CallOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, formatKey, type Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import { formatLocator, type Locator, parseLocator } from "@graviton/ports/locator";
import { locatorSet, type ReplicaIndex } from "@graviton/ports/replica-index";
import { checkChecksum, checksumOf } from "./checksum.ts";
import type { PostgresDatabase } from "./database.ts";

const replace = `INSERT INTO replicas (key, locators, checksum) VALUES ($1, $2, $3)
  ON CONFLICT (key) DO UPDATE SET locators = excluded.locators, checksum = excluded.checksum`;

/** One row a key, so that replacing a set is one statement and no two sets ever mix. */
export class PostgresReplicaIndex implements ReplicaIndex {
  readonly #database: PostgresDatabase;
  readonly #lifetime: Lifetime;

  /** @param close called once after the last call has ended, by an index that owns its database to dispose of it */
  constructor(database: PostgresDatabase, close?: () => Promise<void>) {
    this.#database = database;
    this.#lifetime = new Lifetime("PostgresReplicaIndex", close);
  }

  replicas(key: Key, options?: CallOptions): Promise<Locator[]> {
    return this.#lifetime.run(options, async () => {
      const text = formatKey(checkKey(key));
      const { rows } = await this.#database.query<{ locators: string[]; checksum: number }>(
        "SELECT locators, checksum FROM replicas WHERE key = $1",
        [text],
        callSignal(options),
      );
      return rows.flatMap(({ locators, checksum }) => {
        checkChecksum(text, text, joined(locators), checksum);
        return locators.map(parseLocator);
      });
    });
  }

  update(key: Key, locators: readonly Locator[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const text = formatKey(checkKey(key));
      const set = locatorSet(locators).map(formatLocator);
      const signal = callSignal(options);
      if (set.length === 0) await this.#database.query("DELETE FROM replicas WHERE key = $1", [text], signal);
      else await this.#database.query(replace, [text, set, checksumOf(text, joined(set))], signal);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

/** No locator has a line break in it. */
function joined(locators: readonly string[]): Uint8Array {
  return Buffer.from(locators.join("\n"));
}
