import { type ByteSpan, checkSpan, mergeSpan } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { Lifetime } from "@graviton/ports/lifetime";
import { spansPerLocatorMax } from "@graviton/ports/limits";
import { checkLocator, formatLocator, type Locator } from "@graviton/ports/locator";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { StorageError } from "@graviton/ports/storage-error";

/** Sets of spans in a map, under the text of their locators. A set is never changed, only replaced. */
export class InMemoryRangeTracker implements RangeTracker {
  readonly #lifetime = new Lifetime("InMemoryRangeTracker");
  readonly #storage: Map<string, readonly ByteSpan[]>;

  /** @param storage shared by every tracker that is given the same one */
  constructor(storage = new Map<string, readonly ByteSpan[]>()) {
    this.#storage = storage;
  }

  current(locator: Locator, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => [...this.#spans(formatLocator(checkLocator(locator)))]);
  }

  merge(locator: Locator, span: ByteSpan, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => {
      const text = formatLocator(checkLocator(locator));
      const { start, end } = checkSpan(span);
      const merged = mergeSpan(this.#spans(text), { start, end });
      if (merged.length > spansPerLocatorMax) {
        throw new StorageError(
          "TOO_LARGE",
          `${merged.length} spans of ${text} are over spansPerLocatorMax, ${spansPerLocatorMax}`,
          { resource: text },
        );
      }
      this.#storage.set(text, merged);
      return [...merged];
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #spans(text: string): readonly ByteSpan[] {
    return this.#storage.get(text) ?? [];
  }
}
