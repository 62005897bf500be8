import { randomUUID } from "node:crypto";
import { compareBytes } from "@graviton/ports/byte-order";
import { type ByteRange, checkRange, resolveRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import { frameBytesMax } from "@graviton/ports/limits";
import {
  checkLocator,
  checkLocatorPrefix,
  formatLocator,
  type Locator,
  type LocatorPrefix,
} from "@graviton/ports/locator";
import { objectExists, objectNotFound } from "@graviton/ports/object-errors";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";

/** One version of an object. Never changed, only replaced, so that a reader may hold on to what it saw. */
export interface StoredObject {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
}

/** Objects in a map, under the text of their locators, `mem://bucket/path`. */
export class InMemoryObjectStore implements MutableObjectStore {
  readonly #lifetime = new Lifetime("InMemoryObjectStore");
  readonly #storage: Map<string, StoredObject>;
  readonly #now: () => number;

  /**
   * @param storage shared by every store that is given the same one
   * @param now the clock, in milliseconds since 1970
   */
  constructor(storage = new Map<string, StoredObject>(), now: () => number = Date.now) {
    this.#storage = storage;
    this.#now = now;
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => this.#find(locator).info);
  }

  list(prefix: LocatorPrefix, options: ObjectListOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#lifetime.stream(options, () => this.#list(prefix, options));
  }

  get(locator: Locator, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => this.#get(locator, range));
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const checked = checkLocator(locator, "mem");
      if (options?.ifAbsent) this.#refuseExisting(checked);
      const content = await concatenated(abortable(bytes, callSignal(options)));
      checkCall(options);
      if (options?.ifAbsent) this.#refuseExisting(checked);
      return this.#commit(checked, content);
    });
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      this.#storage.delete(formatLocator(checkLocator(locator, "mem")));
    });
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const target = checkLocator(to, "mem");
      const source = this.#find(from);
      if (formatLocator(source.info.locator) === formatLocator(target)) return source.info;
      return this.#commit(target, source.bytes);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#list(prefix: LocatorPrefix, options: ObjectListOptions): AsyncIterable<ObjectInfo> {
    const begin = formatLocator(checkLocatorPrefix(prefix, "mem"));
    const { after, limit } = checkListOptions(options);
    const snapshot = [...this.#storage.values()]
      .map(({ info }) => info)
      .filter(({ locator }) => formatLocator(locator).startsWith(begin))
      .filter(({ locator }) => after === undefined || compareBytes(locator.path, after) > 0);
    snapshot.sort((a, b) => compareBytes(a.locator.path, b.locator.path));
    yield* snapshot.slice(0, limit);
  }

  async *#get(locator: Locator, range: ByteRange): AsyncIterable<Uint8Array> {
    checkRange(range);
    const { info, bytes } = this.#find(locator);
    const { start, end } = resolveRange(range, info.size, formatLocator(info.locator));
    for (let at = start; at < end; at += frameBytesMax) yield bytes.slice(at, Math.min(end, at + frameBytesMax));
  }

  #find(locator: Locator): StoredObject {
    const object = this.#storage.get(formatLocator(checkLocator(locator, "mem")));
    if (object === undefined) throw objectNotFound(locator);
    return object;
  }

  #refuseExisting(locator: Locator): void {
    if (this.#storage.has(formatLocator(locator))) throw objectExists(locator);
  }

  #commit(locator: Locator, bytes: Uint8Array): ObjectInfo {
    const info = { locator, size: bytes.length, modifiedAt: this.#now(), etag: randomUUID() };
    this.#storage.set(formatLocator(locator), { info, bytes });
    return info;
  }
}

async function concatenated(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const copies: Uint8Array[] = [];
  for await (const frame of frames) copies.push(new Uint8Array(frame));
  // Not the Buffer itself, whose slice() would share memory with the reader.
  return new Uint8Array(Buffer.concat(copies));
}
