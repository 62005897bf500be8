import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import { freshBytes, freshKey, utf8 } from "@graviton/conformance/content";
import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { manifestStoreContract } from "@graviton/conformance/manifest-store";
import { objectStoreContract } from "@graviton/conformance/object-store";
import { rangeTrackerContract } from "@graviton/conformance/range-tracker";
import { replicaIndexContract } from "@graviton/conformance/replica-index";
import { readAll, streamOf } from "@graviton/conformance/streams";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import { InMemoryManifestStore, ManifestStorage } from "@graviton/memory/manifest-store";
import { InMemoryObjectStore, type StoredObject } from "@graviton/memory/object-store";
import { InMemoryRangeTracker } from "@graviton/memory/range-tracker";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import { damageBlock, memorySubject } from "@graviton/memory/testing/memory-subject";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { ByteSpan } from "@graviton/ports/byte-range";
import type { Key } from "@graviton/ports/key";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { type Locator, parseLocator, parseLocatorPrefix } from "@graviton/ports/locator";
import type { ManifestEntry } from "@graviton/ports/manifest";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { StorageError } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { Retries } from "./retries.ts";
import {
  retryingBlobStore,
  retryingKeyValueStore,
  retryingManifestStore,
  retryingObjectStore,
  retryingRangeTracker,
  retryingReplicaIndex,
} from "./retrying.ts";
import { replacing } from "./testing/replacing.ts";
import type { ReplayableSource } from "./upload-source.ts";

/** Nobody in these tests waits for the clock. */
const retries = new Retries({ pause: async () => {} });
const unavailable = new StorageError("UNAVAILABLE", "the backend is away");

type BlobStorage = { readonly blocks: Map<string, Uint8Array>; readonly manifests: ManifestStorage };

describeContract(
  manifestStoreContract,
  memorySubject<ManifestStore, ManifestStorage>({
    name: "retrying, over memory",
    storage: () => new ManifestStorage(),
    open: (storage) => retryingManifestStore(new InMemoryManifestStore(storage), retries),
  }),
);

describeContract(
  blobStoreContract,
  memorySubject<BlobStore, BlobStorage>({
    name: "retrying, over memory",
    storage: () => ({ blocks: new Map(), manifests: new ManifestStorage() }),
    open: (storage) => retryingBlobStore(blobsOver(storage), retries),
    damage: ({ blocks }, name, how) => damageBlock(blocks, name, how),
  }),
);

describeContract(
  objectStoreContract,
  memorySubject<MutableObjectStore, Map<string, StoredObject>>({
    name: "retrying, over memory",
    storage: () => new Map(),
    open: (storage) => retryingObjectStore(new InMemoryObjectStore(storage), retries),
  }),
);

describeContract(
  keyValueStoreContract,
  memorySubject<KeyValueStore, Map<string, Uint8Array>>({
    name: "retrying, over memory",
    storage: () => new Map(),
    open: (storage) => retryingKeyValueStore(new InMemoryKeyValueStore(storage), retries),
  }),
);

describeContract(
  replicaIndexContract,
  memorySubject<ReplicaIndex, Map<string, readonly Locator[]>>({
    name: "retrying, over memory",
    storage: () => new Map(),
    open: (storage) => retryingReplicaIndex(new InMemoryReplicaIndex(storage), retries),
  }),
);

describeContract(
  rangeTrackerContract,
  memorySubject<RangeTracker, Map<string, readonly ByteSpan[]>>({
    name: "retrying, over memory",
    storage: () => new Map(),
    open: (storage) => retryingRangeTracker(new InMemoryRangeTracker(storage), retries),
  }),
);

describe("A retrying store", () => {
  test("makes a call again whose answer was lost", async () => {
    const tracker = new InMemoryRangeTracker();
    const locator = parseLocator("mem://bucket/path");
    const calls = brokenOff(1);
    const retrying = retryingRangeTracker(
      replacing<RangeTracker>(tracker, { merge: (...args) => calls.afterwards(() => tracker.merge(...args)) }),
      retries,
    );
    expect(await retrying.merge(locator, { start: 0, end: 10 })).toEqual([{ start: 0, end: 10 }]);
    expect(calls.count).toBe(2);
  });

  test("does not swap again what it may have swapped, and so reports no CONFLICT with itself", async () => {
    const store = new InMemoryKeyValueStore();
    const calls = brokenOff(1);
    const retrying = retryingKeyValueStore(
      replacing<KeyValueStore>(store, {
        compareAndSwap: (...args) => calls.afterwards(() => store.compareAndSwap(...args)),
      }),
      retries,
    );
    await expect(retrying.compareAndSwap("key", undefined, utf8("value"))).rejects.toBe(unavailable);
  });

  test("does not create again an object that it may have created", async () => {
    const store = new InMemoryObjectStore();
    const calls = brokenOff(1);
    const retrying = retryingObjectStore(
      replacing<MutableObjectStore>(store, { put: (...args) => calls.afterwards(() => store.put(...args)) }),
      retries,
    );
    const put = retrying.put(parseLocator("mem://bucket/path"), streamOf(utf8("bytes")), { ifAbsent: true });
    await expect(put).rejects.toBe(unavailable);
  });
});

describe("A retrying store, for an upload that breaks off,", () => {
  const locator = parseLocator("mem://bucket/path");

  /** An object store that breaks off the first puts, having read so many frames of each. */
  function breakingOff(times: number, afterFrames: number) {
    const store = new InMemoryObjectStore();
    const calls = brokenOff(times);
    const breaking = replacing<MutableObjectStore>(store, {
      put: (to, bytes, options) =>
        calls.instead(
          async () => {
            const iterator = bytes[Symbol.asyncIterator]();
            for (let frame = 0; frame < afterFrames; frame += 1) await iterator.next();
            await iterator.return?.();
          },
          () => store.put(to, bytes, options),
        ),
    });
    return { retrying: retryingObjectStore(breaking, retries), calls };
  }

  test("begins again while nothing of its source was read, and then reads all of it", async () => {
    const { retrying } = breakingOff(2, 0);
    await retrying.put(locator, streamOf(utf8("some "), utf8("bytes")));
    expect(Buffer.from(await readAll(retrying.get(locator))).toString()).toBe("some bytes");
  });

  test("gives up once its source was read, which cannot be read again", async () => {
    const { retrying, calls } = breakingOff(1, 1);
    await expect(retrying.put(locator, streamOf(utf8("some "), utf8("bytes")))).rejects.toBe(unavailable);
    expect(calls.count).toBe(1);
  });

  test("begins again with a source that can be replayed", async () => {
    const { retrying } = breakingOff(2, 1);
    const source: ReplayableSource<Uint8Array> = {
      replayable: true,
      [Symbol.asyncIterator]: () => streamOf(utf8("some "), utf8("bytes")),
    };
    await retrying.put(locator, source);
    expect(Buffer.from(await readAll(retrying.get(locator))).toString()).toBe("some bytes");
  });

  test("closes its source when it is over", async () => {
    let closed = 0;
    const source = (): AsyncIterable<Uint8Array> => ({
      [Symbol.asyncIterator]: () => {
        const bytes = streamOf(utf8("bytes"));
        const close = async () => {
          closed += 1;
          return { done: true as const, value: undefined };
        };
        return { next: () => bytes.next(), return: close };
      },
    });
    const { retrying } = breakingOff(1, 0);
    await retrying.put(locator, source());
    await expect(breakingOff(9, 1).retrying.put(locator, source())).rejects.toBe(unavailable);
    expect(closed).toBe(2);
  });
});

describe("A retrying store, for a read that breaks off,", () => {
  test("goes on with the bytes of a blob where they ended, in any range", async () => {
    const storage = { blocks: new Map<string, Uint8Array>(), manifests: new ManifestStorage() };
    const blobs = blobsOver(storage);
    const bytes = freshBytes(10_000);
    const { confirmed } = await blobs.put({ chunker: { kind: "fixed", blockBytes: 1000 } }, streamOf(bytes));
    const retrying = retryingBlobStore(
      replacing<BlobStore>(blobs, { get: (...args) => brokenAfter(2, blobs.get(...args)) }),
      retries,
    );
    for (const range of [
      { offset: 0 },
      { offset: 1500, length: 5500 },
      { offset: 9000 },
      { offset: 0, length: 2000 },
    ]) {
      const end = range.length === undefined ? undefined : range.offset + range.length;
      const read = await readAll(retrying.get(confirmed.key, range));
      expect(Buffer.compare(read, bytes.subarray(range.offset, end))).toBe(0);
    }
  });

  test("goes on with the entries of a manifest where they ended", async () => {
    const store = new InMemoryManifestStore();
    const { key, entries } = await manifestOf(store, 2500);
    const retrying = retryingManifestStore(
      replacing<ManifestStore>(store, {
        get: (...args) => brokenAfter(1, store.get(...args)),
        blockRefs: (...args) => brokenAfter(1, store.blockRefs(...args)),
      }),
      retries,
    );
    expect((await Array.fromAsync(retrying.get(key))).flat()).toEqual(entries);
    const range = { offset: 500_500, length: 1_899_000 };
    expect((await Array.fromAsync(retrying.blockRefs(key, range))).flat()).toEqual(entries.slice(500, 2400));
  });

  test("does not put together the entries of a manifest that was replaced meanwhile", async () => {
    const store = new InMemoryManifestStore();
    const { key } = await manifestOf(store, 2500);
    const other = { index: 0, offset: 0, block: freshKey(key.size) };
    const retrying = retryingManifestStore(
      replacing<ManifestStore>(store, {
        get: (...args) => brokenAfter(1, store.get(...args)),
        blockRefs: () => streamOf([other]),
      }),
      retries,
    );
    await expect(Array.fromAsync(retrying.get(key))).rejects.toMatchObject({ reason: "CONFLICT" });
  });

  test("goes on with a listing after the last name, up to its limit", async () => {
    const store = new InMemoryObjectStore();
    for (const name of ["a", "b", "c", "d", "e"]) {
      await store.put(parseLocator(`mem://bucket/${name}`), streamOf(utf8(name)));
    }
    const retrying = retryingObjectStore(
      replacing<MutableObjectStore>(store, { list: (...args) => brokenAfter(2, store.list(...args)) }),
      retries,
    );
    const list = async (limit?: number) => {
      const listed = await Array.fromAsync(retrying.list(parseLocatorPrefix("mem://bucket/"), { after: "a", limit }));
      return listed.map(({ locator }) => locator.path);
    };
    expect(await list()).toEqual(["b", "c", "d", "e"]);
    expect(await list(3)).toEqual(["b", "c", "d"]);
    expect(await list(2)).toEqual(["b", "c"]);
  });

  test("does not mix what a scan or an object were at two moments", async () => {
    const values = new InMemoryKeyValueStore();
    for (const key of ["a", "b"]) await values.put(key, utf8(key));
    const scans = replacing<KeyValueStore>(values, { scan: (...args) => brokenAfter(1, values.scan(...args)) });
    await expect(Array.fromAsync(retryingKeyValueStore(scans, retries).scan({}))).rejects.toBe(unavailable);

    const objects = new InMemoryObjectStore();
    const locator = parseLocator("mem://bucket/path");
    await objects.put(locator, streamOf(utf8("bytes")));
    const gets = replacing<MutableObjectStore>(objects, { get: (...args) => brokenAfter(1, objects.get(...args)) });
    await expect(readAll(retryingObjectStore(gets, retries).get(locator))).rejects.toBe(unavailable);
  });
});

/** Lets the first calls fail, however their work went. */
function brokenOff(times: number) {
  const calls = {
    count: 0,
    /** Fails after the call itself went well. */
    afterwards: <T>(call: () => Promise<T>) => calls.instead(call, call),
    /** Does something else before it fails. */
    async instead<T>(failing: () => Promise<unknown>, call: () => Promise<T>): Promise<T> {
      calls.count += 1;
      if (calls.count > times) return call();
      await failing();
      throw unavailable;
    },
  };
  return calls;
}

/** The stream, which breaks off after so many items, also where it would end. */
async function* brokenAfter<T>(items: number, stream: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  let left = items;
  for await (const item of stream) {
    yield item;
    left -= 1;
    if (left === 0) throw unavailable;
  }
}

function blobsOver({ blocks, manifests }: BlobStorage): BlobStore {
  const store = new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(blocks));
  return new CasBlobStore({ blocks: store, manifests: new InMemoryManifestStore(manifests) });
}

/** A manifest of so many blocks of 1,000 bytes. */
async function manifestOf(store: ManifestStore, count: number): Promise<{ key: Key; entries: ManifestEntry[] }> {
  const entries = Array.from({ length: count }, (_, index) => ({ index, offset: index * 1000, block: freshKey(1000) }));
  const key = freshKey(count * 1000);
  await store.recordBlocks(entries.map(({ block }) => block));
  await store.put(
    { key, attributes: {} },
    streamOf(entries.slice(0, 1024), entries.slice(1024, 2048), entries.slice(2048)),
  );
  return { key, entries };
}
