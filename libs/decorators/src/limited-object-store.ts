import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { Lifetime } from "@graviton/ports/lifetime";
import type { Locator, LocatorPrefix } from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import type { Places } from "./places.ts";

/** Lets puts and gets in only while there are places. */
export class LimitedObjectStore implements MutableObjectStore {
  readonly #store: MutableObjectStore;
  readonly #places: Places;
  /** Counts the calls that wait for a place, of which the store does not know yet. */
  readonly #lifetime: Lifetime;

  /** @param store owned: disposed with this */
  constructor(store: MutableObjectStore, places: Places) {
    this.#store = store;
    this.#places = places;
    this.#lifetime = new Lifetime("LimitedObjectStore", async () => store[Symbol.asyncDispose]());
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#run(options, () => this.#store.put(locator, bytes, options));
  }

  get(locator: Locator, range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#stream(options, () => this.#store.get(locator, range, options));
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #run<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    return this.#lifetime.run(options, () => this.#places.run(options, call));
  }

  #stream<T>(options: CallOptions | undefined, open: () => AsyncIterable<T>): AsyncIterable<T> {
    return this.#lifetime.stream(options, () => this.#places.stream(options, open));
  }
}
