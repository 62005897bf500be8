import type { CallOptions } from "@graviton/ports/call-options";
import { checkKey, formatKey, type Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import { formatLocator, type Locator, parseLocator } from "@graviton/ports/locator";
import { locatorSet, type ReplicaIndex } from "@graviton/ports/replica-index";
import { LevelDatabase } from "./database.ts";
import { recordKey } from "./tables.ts";
import { del, put } from "./update.ts";

/** One record a key: the texts of its locators, one a line. A locator has no line break in it. */
export class LevelReplicaIndex implements ReplicaIndex {
  readonly #database: LevelDatabase;
  readonly #lifetime: Lifetime;

  /** @param close called once after the last call has ended, by a store that owns its database to dispose of it */
  constructor(database: LevelDatabase, close?: () => Promise<void>) {
    this.#database = database;
    this.#lifetime = new Lifetime("LevelReplicaIndex", close);
  }

  /** Opens a database for this store alone, and closes it with the store. Throws what `LevelDatabase.open` throws. */
  static async open(folder: string): Promise<LevelReplicaIndex> {
    const database = await LevelDatabase.open(folder);
    return new LevelReplicaIndex(database, () => database[Symbol.asyncDispose]());
  }

  replicas(key: Key, options?: CallOptions): Promise<Locator[]> {
    return this.#lifetime.run(options, async () => {
      const lines = await this.#database.get(recordOf(key));
      return lines === undefined ? [] : lines.toString().split("\n").map(parseLocator);
    });
  }

  update(key: Key, locators: readonly Locator[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const record = recordOf(key);
      const lines = locatorSet(locators).map(formatLocator).join("\n");
      await this.#database.update({
        changes: () => [lines === "" ? del(record) : put(record, Buffer.from(lines))],
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

function recordOf(key: Key): Buffer {
  return recordKey("replicas", formatKey(checkKey(key)));
}
