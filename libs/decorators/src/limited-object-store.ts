import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Locator, LocatorPrefix } from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import type { Places } from "./places.ts";

/** Lets puts and gets in only while there are places. */
export class LimitedObjectStore implements MutableObjectStore {
  readonly #store: MutableObjectStore;
  readonly #places: Places;

  /** @param store owned: disposed with this */
  constructor(store: MutableObjectStore, places: Places) {
    this.#store = store;
    this.#places = places;
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#places.run(options, () => this.#store.put(locator, bytes, options));
  }

  get(locator: Locator, range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#places.stream(options, () => this.#store.get(locator, range, options));
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#store.head(locator, options);
  }

  list(prefix: LocatorPrefix, options?: ObjectListOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#store.delete(locator, options);
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#store.copy(from, to, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
