import type { BlobInfo, BlobStore } from "@graviton/ports/blob-store";
import { type ByteRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions, ListOptions } from "@graviton/ports/call-options";
import { formatKey, type Key } from "@graviton/ports/key";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { Lifetime } from "@graviton/ports/lifetime";
import type { ManifestInfo, ManifestPage } from "@graviton/ports/manifest";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore, ObjectInfo } from "@graviton/ports/object-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { bytesFrom, entriesFrom, listing } from "./resumable.ts";
import type { Resumable, Retries } from "./retries.ts";
import { UploadSource } from "./upload-source.ts";

/** Tries the calls of a ManifestStore again, all of them: each says the same twice. Owns the store. */
export function retryingManifestStore(store: ManifestStore, retries: Retries): ManifestStore {
  const calls = new RetriedCalls("RetryingManifestStore", store, retries);
  return {
    put: (header, pages, options) => calls.upload(options, pages, (again) => store.put(header, again, options)),
    get: (key, options) =>
      calls.entries(options, key, wholeRange, (rest) =>
        rest === wholeRange ? store.get(key, options) : store.blockRefs(key, rest, options),
      ),
    stat: (key, options) => calls.run(options, () => store.stat(key, options)),
    blockRefs: (key, range, options) =>
      calls.entries(options, key, range, (rest) => store.blockRefs(key, rest, options)),
    delete: (key, options) => calls.run(options, () => store.delete(key, options)),
    list: (options = {}) => calls.list(options, (rest) => store.list(rest), nameOfBlob),
    findMissingBlocks: (keys, options) => calls.run(options, () => store.findMissingBlocks(keys, options)),
    recordBlocks: (keys, options) => calls.run(options, () => store.recordBlocks(keys, options)),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/** Tries the calls of a BlobStore again, all of them: content is the same whenever it is read or put. Owns the store. */
export function retryingBlobStore(store: BlobStore, retries: Retries): BlobStore {
  const calls = new RetriedCalls("RetryingBlobStore", store, retries);
  return {
    put: (plan, bytes, options) => calls.upload(options, bytes, (again) => store.put(plan, again, options)),
    get: (key, range, options) => calls.bytes(options, range, (rest) => store.get(key, rest, options)),
    stat: (key, options) => calls.run(options, () => store.stat(key, options)),
    delete: (key, options) => calls.run(options, () => store.delete(key, options)),
    list: (options = {}) => calls.list(options, (rest) => store.list(rest), nameOfBlob),
    findMissing: (keys, options) => calls.run(options, () => store.findMissing(keys, options)),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/**
 * Tries the calls of an object store again. Not a put `ifAbsent`, which would meet its own object where only the answer
 * was lost; and not a read that gave bytes, since what is there by then may be another version. Owns the store.
 */
export function retryingObjectStore(store: MutableObjectStore, retries: Retries): MutableObjectStore {
  const calls = new RetriedCalls("RetryingObjectStore", store, retries);
  return {
    put: (locator, bytes, options) =>
      options?.ifAbsent
        ? calls.once(options, () => store.put(locator, bytes, options))
        : calls.upload(options, bytes, (again) => store.put(locator, again, options)),
    get: (locator, range, options) => calls.stream(options, () => store.get(locator, range, options)),
    head: (locator, options) => calls.run(options, () => store.head(locator, options)),
    list: (prefix, options = {}) => calls.list(options, (rest) => store.list(prefix, rest), pathOfObject),
    delete: (locator, options) => calls.run(options, () => store.delete(locator, options)),
    copy: (from, to, options) => calls.run(options, () => store.copy(from, to, options)),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/**
 * Tries the calls of a KeyValueStore again. A write whose answer was lost is made a second time, and may so replace what
 * somebody else wrote in between: who minds takes a compare-and-swap. That is made once, since a second one would meet its
 * own value where only the answer was lost, and report a CONFLICT that is none. A scan that gave pairs is not opened again,
 * since they are those of one moment. Owns the store.
 */
export function retryingKeyValueStore(store: KeyValueStore, retries: Retries): KeyValueStore {
  const calls = new RetriedCalls("RetryingKeyValueStore", store, retries);
  return {
    get: (key, options) => calls.run(options, () => store.get(key, options)),
    put: (key, value, options) => calls.run(options, () => store.put(key, value, options)),
    delete: (key, options) => calls.run(options, () => store.delete(key, options)),
    batch: (operations, options) => calls.run(options, () => store.batch(operations, options)),
    compareAndSwap: (key, expected, next, options) =>
      calls.once(options, () => store.compareAndSwap(key, expected, next, options)),
    scan: (range, options) => calls.stream(options, () => store.scan(range, options)),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/** Tries the calls of a ReplicaIndex again. Owns the index. */
export function retryingReplicaIndex(index: ReplicaIndex, retries: Retries): ReplicaIndex {
  const calls = new RetriedCalls("RetryingReplicaIndex", index, retries);
  return {
    replicas: (key, options) => calls.run(options, () => index.replicas(key, options)),
    update: (key, locators, options) => calls.run(options, () => index.update(key, locators, options)),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/** Tries the calls of a RangeTracker again. Owns the tracker. */
export function retryingRangeTracker(tracker: RangeTracker, retries: Retries): RangeTracker {
  const calls = new RetriedCalls("RetryingRangeTracker", tracker, retries);
  return {
    current: (locator, options) => calls.run(options, () => tracker.current(locator, options)),
    merge: (locator, span, options) => calls.run(options, () => tracker.merge(locator, span, options)),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/** The calls of one store, tried again. */
class RetriedCalls implements AsyncDisposable {
  readonly #retries: Retries;
  /** Counts the calls that wait for their next try, of which the store does not know. */
  readonly #lifetime: Lifetime;

  constructor(name: string, store: AsyncDisposable, retries: Retries) {
    this.#retries = retries;
    this.#lifetime = new Lifetime(name, async () => store[Symbol.asyncDispose]());
  }

  /** A call that may happen twice. */
  run<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    return this.#lifetime.run(options, () => this.#retries.run(options, call));
  }

  /** A call that may not. */
  once<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    return this.#lifetime.run(options, call);
  }

  /** A call with a source, made again while nothing of that was read, or if it can be replayed. */
  upload<T, R>(
    options: CallOptions | undefined,
    items: AsyncIterable<T>,
    call: (items: AsyncIterable<T>) => Promise<R>,
  ): Promise<R> {
    return this.#lifetime.run(options, async () => {
      const source = new UploadSource(items);
      const pass = () => call(source.pass());
      return this.#retries.run(options, pass, () => source.repeatable).finally(() => source.close());
    });
  }

  /** A stream that is opened again only while it gave nothing. */
  stream<T>(options: CallOptions | undefined, open: () => AsyncIterable<T>): AsyncIterable<T> {
    return this.#resumed(options, { open });
  }

  entries(
    options: CallOptions | undefined,
    key: Key,
    range: ByteRange,
    open: (range: ByteRange) => AsyncIterable<ManifestPage>,
  ) {
    return this.#resumed(options, entriesFrom(key, range, open));
  }

  bytes(
    options: CallOptions | undefined,
    range: ByteRange = wholeRange,
    open: (range: ByteRange) => AsyncIterable<Uint8Array>,
  ) {
    return this.#resumed(options, bytesFrom(range, open));
  }

  list<Options extends CallOptions & ListOptions, T>(
    options: Options,
    open: (options: Options) => AsyncIterable<T>,
    nameOf: (item: T) => string,
  ) {
    return this.#resumed(options, listing(options, open, nameOf));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #resumed<T>(options: CallOptions | undefined, source: Resumable<T>): AsyncIterable<T> {
    return this.#lifetime.stream(options, () => this.#retries.stream(options, source));
  }
}

function nameOfBlob({ confirmed }: BlobInfo | ManifestInfo): string {
  return formatKey(confirmed.key);
}

function pathOfObject({ locator }: ObjectInfo): string {
  return locator.path;
}
