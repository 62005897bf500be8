import type { CallOptions } from "@graviton/ports/call-options";
import { checkKey, formatKey, type Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import type { Locator } from "@graviton/ports/locator";
import { locatorSet, type ReplicaIndex } from "@graviton/ports/replica-index";

/** Sets of locators in a map, under the text of their keys. */
export class InMemoryReplicaIndex implements ReplicaIndex {
  readonly #lifetime = new Lifetime("InMemoryReplicaIndex");
  readonly #storage: Map<string, readonly Locator[]>;

  /** @param storage shared by every index that is given the same one */
  constructor(storage = new Map<string, readonly Locator[]>()) {
    this.#storage = storage;
  }

  replicas(key: Key, options?: CallOptions): Promise<Locator[]> {
    return this.#lifetime.run(options, async () => [...(this.#storage.get(formatKey(checkKey(key))) ?? [])]);
  }

  update(key: Key, locators: readonly Locator[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const text = formatKey(checkKey(key));
      const set = locatorSet(locators);
      if (set.length === 0) this.#storage.delete(text);
      else this.#storage.set(text, set);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}
