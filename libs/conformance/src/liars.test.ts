import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import { InMemoryManifestStore, ManifestStorage, type StoredManifest } from "@graviton/memory/manifest-store";
import { InMemoryObjectStore, type StoredObject } from "@graviton/memory/object-store";
import { InMemoryRangeTracker } from "@graviton/memory/range-tracker";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import { damageBlock, type MemoryParts, memorySubject } from "@graviton/memory/testing/memory-subject";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlockStore, PutBlocksEvent, StoredBytes } from "@graviton/ports/block-store";
import { type ByteSpan, checkSpan, mergeSpan } from "@graviton/ports/byte-range";
import { checkCall, type ListOptions } from "@graviton/ports/call-options";
import { formatKey } from "@graviton/ports/key";
import { checkKeyValueBatch, type KeyValueStore } from "@graviton/ports/key-value-store";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import type { ManifestHeader, ManifestInfo, ManifestPage } from "@graviton/ports/manifest";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore, ObjectInfo } from "@graviton/ports/object-store";
import { resolveBlobWritePlan } from "@graviton/ports/plan";
import { checkKeys } from "@graviton/ports/presence";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { blobStoreContract } from "./blob-store.ts";
import { blockStoreContract } from "./block-store.ts";
import { checkContract, clauseMsMax } from "./check-contract.ts";
import type { Contract } from "./contract.ts";
import { keyValueStoreContract } from "./key-value-store.ts";
import { manifestStoreContract } from "./manifest-store.ts";
import { objectStoreContract } from "./object-store.ts";
import { rangeTrackerContract } from "./range-tracker.ts";
import { replicaIndexContract } from "./replica-index.ts";
import { collect, readAll } from "./streams.ts";

/** A whole contract is checked in each of these tests. */
const contractMsMax = 5 * clauseMsMax;

const blocks: MemoryParts<BlockStore, Map<string, Uint8Array>> = {
  name: "BlockStore",
  storage: () => new Map(),
  open: (storage) => new CasBlockStore("BlockStore", new MemoryBlockDriver(storage)),
  damage: damageBlock,
};

const blobs: MemoryParts<BlobStore, { blocks: Map<string, Uint8Array>; manifests: ManifestStorage }> = {
  name: "BlobStore",
  storage: () => ({ blocks: new Map(), manifests: new ManifestStorage() }),
  open: (storage) =>
    new CasBlobStore({ blocks: blocks.open(storage.blocks), manifests: new InMemoryManifestStore(storage.manifests) }),
  damage: (storage, name, how) => damageBlock(storage.blocks, name, how),
};

const manifests: MemoryParts<ManifestStore, ManifestStorage> = {
  name: "ManifestStore",
  storage: () => new ManifestStorage(),
  open: (storage) => new InMemoryManifestStore(storage),
};

const values: MemoryParts<KeyValueStore, Map<string, Uint8Array>> = {
  name: "KeyValueStore",
  storage: () => new Map(),
  open: (storage) => new InMemoryKeyValueStore(storage),
};

const objects: MemoryParts<MutableObjectStore, Map<string, StoredObject>> = {
  name: "MutableObjectStore",
  storage: () => new Map(),
  open: (storage) => new InMemoryObjectStore(storage),
};

const replicas: MemoryParts<ReplicaIndex, Map<string, readonly Locator[]>> = {
  name: "ReplicaIndex",
  storage: () => new Map(),
  open: (storage) => new InMemoryReplicaIndex(storage),
};

const ranges: MemoryParts<RangeTracker, Map<string, readonly ByteSpan[]>> = {
  name: "RangeTracker",
  storage: () => new Map(),
  open: (storage) => new InMemoryRangeTracker(storage),
};

describe("A block store that", () => {
  const liar = liarOf(blockStoreContract, blocks);

  liar("keeps its promises", () => ({}), []);

  liar(
    "aliases the buffers that it is given",
    (truth) => ({
      putBlocks: (plan, input, options) =>
        truth.putBlocks(
          plan,
          mapped(input, (block) => ({ ...block, owned: true })),
          options,
        ),
    }),
    ["A caller that reuses its buffer for the next block cannot change what is stored."],
  );

  liar(
    "hands out the bytes that it keeps",
    (truth, storage) => ({
      async get(key, range, options) {
        const bytes = await truth.get(key, range, options);
        return range === undefined ? (storage.get(formatKey(key)) ?? bytes) : bytes;
      },
    }),
    ["Changing the bytes that a read returned cannot change what is stored."],
  );

  liar(
    "does not verify what it reads",
    (truth, storage) => ({
      async get(key, range, options) {
        try {
          return await truth.get(key, range, options);
        } catch (error) {
          if (!hasReason(error, "CORRUPT")) throw error;
          return new Uint8Array(storage.get(formatKey(key)) ?? []);
        }
      },
    }),
    ["A block whose stored bits flipped reads as CORRUPT, never as data."],
  );

  liar(
    "swallows the errors of its source",
    (truth) => ({ putBlocks: (plan, input, options) => truth.putBlocks(plan, swallowing(input), options) }),
    [
      "A source that fails ends the put with its error; what was reported stays.",
      "A source that fails in the middle of a block leaves nothing of that block.",
    ],
  );

  liar(
    "lies about where blocks stand in its manifest",
    (truth) => ({ putBlocks: (...args) => mapped(truth.putBlocks(...args), withoutOffsets) }),
    ["The last event is the manifest: contiguous offsets in the order given, repetitions included."],
  );

  liar(
    "reports every block as fresh",
    (truth) => ({
      putBlocks: (...args) =>
        mapped(truth.putBlocks(...args), (event) => (event.kind === "stored" ? { ...event, status: "FRESH" } : event)),
    }),
    [
      "A block is FRESH the first time and DUPLICATE from then on.",
      "A block that occurs twice in one put is FRESH once.",
      "What was put is there after reopening.",
      "A put that rewrites duplicates heals a block whose stored bits flipped.",
    ],
  );

  liar(
    "answers late that a block of many is not there",
    (truth) => ({ getMany: (keys, options) => lateOf(truth.getMany(keys, options), keys) }),
    ["Of many blocks the first that is not stored ends the stream with NOT_FOUND and its name."],
  );

  liar(
    "ignores a signal",
    (truth) => ({ exists: (keys, options) => truth.exists(keys, { deadline: options?.deadline }) }),
    ["Every method refuses a signal that is already aborted with CANCELLED."],
  );

  liar(
    "ignores a deadline",
    (truth) => ({ get: (key, range, options) => truth.get(key, range, { signal: options?.signal }) }),
    ["Every method refuses a deadline that has passed with DEADLINE_EXCEEDED."],
  );

  liar(
    "works on after dispose",
    (_, storage) => ({
      async delete(keys, options) {
        checkCall(options);
        for (const key of checkKeys(keys)) storage.delete(formatKey(key));
      },
    }),
    ["Every method refuses with UNAVAILABLE after dispose, which may be called twice."],
  );

  liar(
    "does not find what to delete",
    (truth, storage) => ({
      async delete(keys, options) {
        const there = keys.every((key) => storage.has(formatKey(key)));
        await truth.delete(keys, options);
        if (!there) throw new StorageError("NOT_FOUND", "there is no such block");
      },
    }),
    ["Deleting removes just the blocks named, and is idempotent."],
  );
});

describe("A blob store that", () => {
  const liar = liarOf(blobStoreContract, blobs);

  liar("keeps its promises", () => ({}), []);

  liar(
    "ends a read short where a block is missing",
    (truth) => ({ get: (...args) => swallowing(truth.get(...args), "CORRUPT") }),
    [
      "A blob of which a block's stored bits flipped is CORRUPT and names the block, before a wrong byte leaves.",
      "A blob of which a block is missing is CORRUPT and names the block, not a short read.",
    ],
  );

  liar(
    "does not look at the key that its writer expects",
    (truth) => ({
      put: async (plan, bytes, options) =>
        truth.put({ ...resolveBlobWritePlan(plan), expected: undefined }, bytes, options),
    }),
    ["Bytes that are not those of the expected key are HASH_MISMATCH, and nothing becomes visible."],
  );

  liar(
    "commits what had arrived when its source fails",
    (truth) => ({ put: (plan, bytes, options) => truth.put(plan, swallowing(bytes), options) }),
    [
      "A source that fails ends the put with its error, and no blob becomes visible.",
      "An upload that broke off leaves no blob of what had arrived either.",
      "An upload that broke off can be tried again.",
    ],
  );

  liar(
    "deletes the blocks of a blob with it",
    (truth, storage) => ({
      async delete(key, options) {
        const pages = storage.manifests.manifests.get(formatKey(key))?.pages ?? [];
        await truth.delete(key, options);
        for (const { block } of pages.flat()) storage.blocks.delete(formatKey(block));
      },
    }),
    [
      "Deleting forgets just the blob named, is idempotent, and keeps the blocks that others use.",
      "A blob that was deleted may be put again, with other words.",
    ],
  );

  liar(
    "says of every put that it created the blob",
    (truth) => ({ put: async (...args) => ({ ...(await truth.put(...args)), created: true }) }),
    [
      "The same content again is one copy: nothing is created, no block is fresh, the first writer's words stay.",
      "Of many concurrent puts of one content all succeed with one key, and exactly one created it.",
    ],
  );
});

describe("A manifest store that", () => {
  const liar = liarOf(manifestStoreContract, manifests);

  liar("keeps its promises", () => ({}), []);

  liar(
    "shows a manifest while it is put",
    (truth, storage) => ({
      put: (header, pages, options) => truth.put(header, shownEarly(storage, header, pages), options),
    }),
    [
      "No reader sees a manifest before it is whole.",
      "A put that is aborted while its source is silent ends with CANCELLED and leaves nothing.",
    ],
  );

  liar(
    "takes the last writer's attributes",
    (truth, storage) => ({
      async put(header, pages, options) {
        const kept = await truth.put(header, pages, options);
        const text = formatKey(header.key);
        const { pages: stored } = storage.manifests.get(text) as StoredManifest;
        const info = { ...kept.info, advertised: header.attributes };
        storage.manifests.set(text, { info, pages: stored });
        return { ...kept, info };
      },
    }),
    [
      "The same manifest again is a success that changes nothing, the first writer's attributes included.",
      "Of many concurrent puts of one manifest all succeed, and exactly one created it.",
    ],
  );

  liar(
    "does not ask whether the blocks are stored",
    (truth, storage) => ({ put: (header, pages, options) => truth.put(header, recording(storage, pages), options) }),
    [
      "Entries naming blocks that nobody recorded are MISSING_BLOCKS with their list, and nothing is stored.",
      "A long list of missing blocks may be cut short, and names none but missing ones.",
    ],
  );

  liar(
    "reads all entries before it hands on the first",
    (truth) => ({ get: (...args) => allAtOnce(truth.get(...args)) }),
    [
      "1,000,000 entries stream in order in bounded memory, and the last is found at once.",
      "Dispose ends a read that nobody pulls from, which then refuses to go on.",
    ],
  );

  liar(
    "gives one entry too many for a range",
    (truth) => ({
      blockRefs: (key, range, options) =>
        truth.blockRefs(key, range.length === undefined ? range : { ...range, length: range.length + 1 }, options),
    }),
    ["The refs of a range are just those of the blocks that hold a byte of it.", "A range without bytes has no refs."],
  );

  liar("doubles what it lists", (truth) => ({ list: (options) => twice(truth.list(options)) }), [
    "A list gives manifests in the byte order of their keys, pages that begin after a key and end at a limit.",
    "A list loses and doubles none that was there from beginning to end, whatever is written meanwhile.",
    "A list without bounds gives every manifest.",
  ]);

  liar(
    "finds the next page of a list by counting",
    (truth) => {
      const counts = new Map<string, number>();
      return { list: (options = {}) => countedOn((of) => truth.list(of), options, textOf, counts) };
    },
    ["A list loses and doubles none that was there from beginning to end, whatever is written meanwhile."],
  );
});

describe("A key-value store that", () => {
  const liar = liarOf(keyValueStoreContract, values);

  liar("keeps its promises", () => ({}), []);

  liar(
    "aliases the buffers that it is given",
    (truth, storage) => ({
      async put(key, value, options) {
        await truth.put(key, value, options);
        storage.set(key, value);
      },
    }),
    ["A caller that reuses its buffer cannot change what is stored."],
  );

  liar(
    "takes an empty value for none",
    (truth) => ({
      async get(...args) {
        const value = await truth.get(...args);
        return value?.length === 0 ? undefined : value;
      },
    }),
    [
      "An empty value is not absent.",
      "Compare-and-swap replaces the value that is expected: absent, empty or any other.",
    ],
  );

  liar(
    "applies a batch one operation after the other",
    (truth) => ({
      async batch(operations, options) {
        for (const operation of checkKeyValueBatch(operations)) {
          if (operation.kind === "put") await truth.put(operation.key, operation.value, options);
          else await truth.delete(operation.key, options);
        }
      },
    }),
    ["A reader sees all of a batch or nothing of it."],
  );

  liar(
    "lets every compare-and-swap win",
    (truth) => ({
      compareAndSwap: (key, _, next, options) =>
        next === undefined ? truth.delete(key, options) : truth.put(key, next, options),
    }),
    [
      "Compare-and-swap that meets another value is CONFLICT and changes nothing.",
      "Compare-and-swap that expects a value where there is none is CONFLICT, also for the empty value.",
      "Of many concurrent swaps that expect the same value exactly one wins.",
    ],
  );

  liar(
    "compares first and swaps a moment later",
    (truth) => ({
      async compareAndSwap(key, expected, next, options) {
        const current = await truth.get(key, options);
        const same = current && expected ? Buffer.compare(current, expected) === 0 : current === expected;
        if (!same) await truth.compareAndSwap(key, expected, next, options);
        else if (next === undefined) await truth.delete(key, options);
        else await truth.put(key, next, options);
      },
    }),
    [
      "Of many concurrent swaps that expect the same value exactly one wins.",
      "Dispose waits for the writes in flight.",
    ],
  );

  liar(
    "scans in the order of UTF-16",
    (truth) => ({ scan: (...args) => sortedBy(truth.scan(...args), ({ key }) => key) }),
    [
      "Any well-formed string may be a key, and each is a key of its own.",
      "A scan gives just the pairs with the prefix, in the byte order of their keys.",
      "Dispose ends a scan that nobody pulls from, which then refuses to go on.",
    ],
  );

  liar(
    "scans what is there by the time it gets there",
    (truth, storage) => ({
      scan: (...args) =>
        mapped(truth.scan(...args), ({ key, value }) => ({ key, value: storage.get(key)?.slice() ?? value })),
    }),
    [
      "A reader sees all of a batch or nothing of it.",
      "A scan shows the pairs as they all were when it began, whatever is written meanwhile.",
    ],
  );

  test("forgets breaks exactly the clauses that reopen it", async () => {
    const forgetful = { ...values, open: () => values.open(values.storage()) };
    expect(await broken(keyValueStoreContract, forgetful)).toEqual([
      "What was written is there after reopening.",
      "Dispose waits for the writes in flight.",
    ]);
  });
});

describe("An object store that", () => {
  const liar = liarOf(objectStoreContract, objects);

  liar("keeps its promises", () => ({}), []);

  liar(
    "swallows the errors of its source",
    (truth) => ({ put: (locator, bytes, options) => truth.put(locator, swallowing(bytes), options) }),
    ["A source that fails ends the put with its error and leaves the old object as it was."],
  );

  liar("answers late that there is no object", (truth) => ({ get: (...args) => afterOneByte(truth.get(...args)) }), [
    "An object that is not there is NOT_FOUND and named, before the first byte.",
    "Deleting removes just the object named, and is idempotent.",
  ]);

  liar(
    "reads on in another version of the object",
    (truth) => ({
      async *get(locator, range, options) {
        const start = range?.offset ?? 0;
        let offset = start;
        for await (const frame of truth.get(locator, range, options)) {
          const { length } = frame;
          yield offset === start ? frame : await readAll(truth.get(locator, { offset, length }, options));
          offset += length;
        }
      },
    }),
    ["A reader sees one version of the object to the end, also while it is replaced or deleted."],
  );

  liar(
    "lists sizes that are not those of the objects",
    (truth) => ({ list: (...args) => mapped(truth.list(...args), (info) => ({ ...info, size: info.size + 1 })) }),
    ["A list tells of each object what head tells."],
  );

  liar("lists in the order of UTF-16", (truth) => ({ list: (...args) => sortedBy(truth.list(...args), pathOf) }), [
    "A list gives just the objects whose paths begin with the prefix, in the byte order of their paths.",
    "Dispose ends a read that nobody pulls from, which then refuses to go on.",
  ]);

  liar(
    "finds the next page of a list by counting",
    (truth) => {
      const countsOf = new Map<string, Map<string, number>>();
      return {
        list(prefix, options = {}) {
          const counts = countsOf.get(prefix.path) ?? new Map<string, number>();
          countsOf.set(prefix.path, counts);
          return countedOn((of) => truth.list(prefix, of), options, pathOf, counts);
        },
      };
    },
    ["A list loses and doubles none that was there from beginning to end, whatever is written meanwhile."],
  );

  liar(
    "looks first whether there is an object and creates it a moment later",
    (truth, storage) => ({
      async put(locator, bytes, options) {
        const there = options?.ifAbsent && storage.has(formatLocator(locator));
        return await truth.put(locator, bytes, { ...options, ifAbsent: there });
      },
    }),
    ["Of many concurrent puts that may only create exactly one succeeds."],
  );

  liar(
    "copies an object onto itself as if it were another",
    (truth) => ({
      async copy(from, to, options) {
        const info = await truth.copy(from, to, options);
        if (formatLocator(from) !== formatLocator(to)) return info;
        return await truth.put(to, truth.get(from, undefined, options), options);
      },
    }),
    ["A copy of an object onto itself changes nothing."],
  );
});

describe("A replica index that", () => {
  const liar = liarOf(replicaIndexContract, replicas);

  liar("keeps its promises", () => ({}), []);

  liar(
    "adds to the set in place of replacing it",
    (truth) => ({
      async update(key, locators, options) {
        const before = locators.length === 0 ? [] : await truth.replicas(key, options);
        await truth.update(key, [...before, ...locators], options);
      },
    }),
    ["An update replaces the whole set.", "Dispose waits for the updates in flight."],
  );

  liar(
    "hands out the set that it keeps",
    (truth, storage) => ({
      async replicas(key, options) {
        const copy = await truth.replicas(key, options);
        return (storage.get(formatKey(key)) as Locator[] | undefined) ?? copy;
      },
    }),
    ["Changing the list that was returned or given cannot change the set."],
  );
});

describe("A range tracker that", () => {
  const liar = liarOf(rangeTrackerContract, ranges);

  liar("keeps its promises", () => ({}), []);

  liar(
    "loses merges that run at once",
    (truth, storage) => ({
      async merge(locator, span, options) {
        const merged = mergeSpan(await truth.current(locator, options), checkSpan(span));
        storage.set(formatLocator(locator), merged);
        return [...merged];
      },
    }),
    [
      "100 concurrent merges of spans that touch lose none.",
      "100 concurrent merges of spans that stay apart lose none.",
      "Dispose waits for the merges in flight.",
    ],
  );

  liar(
    "keeps adjacent spans apart",
    (truth, storage) => ({
      async merge(locator, span, options) {
        const text = formatLocator(locator);
        const before = storage.get(text) ?? [];
        const merged = await truth.merge(locator, span, options);
        if (before.at(-1)?.end !== span.start) return merged;
        const apart = [...before, span];
        storage.set(text, apart);
        return [...apart];
      },
    }),
    ["Overlapping and adjacent spans become one; spans that leave a byte between them stay apart."],
  );
});

type Lie<Port, Storage> = (truth: Port, storage: Storage) => Partial<Port>;

/** Tests that a store which lies in one method breaks exactly the clauses named, in their order, and keeps all others. */
function liarOf<Port extends object, Storage>(contract: Contract<Port>, parts: MemoryParts<Port, Storage>) {
  return (does: string, lie: Lie<Port, Storage>, breaks: readonly string[]) => {
    const what = breaks.length === 0 ? "no clause" : "exactly the clauses that say so";
    test(
      `${does} breaks ${what}`,
      async () => expect(await broken(contract, lying(parts, lie))).toEqual(breaks),
      contractMsMax,
    );
  };
}

/** The clauses that the store breaks. It counts as durable, since its storage outlives its handles. */
async function broken<Port, Storage>(contract: Contract<Port>, parts: MemoryParts<Port, Storage>): Promise<string[]> {
  const subject = { ...memorySubject(parts), capabilities: { durable: true, exclusive: false } };
  const results = await collect(checkContract(contract, subject));
  return results.flatMap(({ says, error }) => (error === undefined ? [] : [says]));
}

function lying<Port extends object, Storage>(
  parts: MemoryParts<Port, Storage>,
  lie: Lie<Port, Storage>,
): MemoryParts<Port, Storage> {
  const open = (storage: Storage) => {
    const store = parts.open(storage);
    return Object.assign(store, lie(truthOf(store), storage));
  };
  return { ...parts, open };
}

/** The store's own methods, whatever has been put in their place. */
function truthOf<Port extends object>(store: Port): Port {
  const methods = Object.getPrototypeOf(store);
  return new Proxy(store, { get: (target, name) => methods[name].bind(target) });
}

async function* mapped<T, U>(stream: AsyncIterable<T>, change: (item: T) => U): AsyncGenerator<U, void, void> {
  for await (const item of stream) yield change(item);
}

/** Ends the stream in good order where it fails: for any reason, or for just this one. */
async function* swallowing<T>(
  stream: AsyncIterable<T>,
  reason?: StorageError["reason"],
): AsyncGenerator<T, void, void> {
  try {
    yield* stream;
  } catch (error) {
    if (reason !== undefined && !hasReason(error, reason)) throw error;
  }
}

async function* twice<T>(stream: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  for await (const item of stream) {
    yield item;
    yield item;
  }
}

async function* sortedBy<T>(stream: AsyncIterable<T>, nameOf: (item: T) => string): AsyncGenerator<T, void, void> {
  const items = await collect(stream);
  yield* items.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/**
 * A page of a list that goes on by OFFSET: after as many items as there were up to the one that the page before ended
 * with, by what was counted then.
 *
 * @param counts how many there were up to each item that was given out
 */
async function* countedOn<T, Options extends ListOptions>(
  list: (options: Options) => AsyncIterable<T>,
  options: Options,
  nameOf: (item: T) => string,
  counts: Map<string, number>,
): AsyncGenerator<T, void, void> {
  const { after = "" } = options;
  const names = (await collect(list({ ...options, after: undefined, limit: undefined }))).map(nameOf);
  let count = counts.get(after) ?? names.filter((name) => name <= after).length;
  for await (const item of list({ ...options, after: names.slice(0, count).at(-1) })) {
    count += 1;
    counts.set(nameOf(item), count);
    yield item;
  }
}

async function* allAtOnce(stream: AsyncIterable<ManifestPage>): AsyncGenerator<ManifestPage, void, void> {
  const pages = await collect(mapped(stream, (page) => page.map((entry) => ({ ...entry, block: { ...entry.block } }))));
  yield* pages;
}

async function* afterOneByte(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* stream;
  } catch (error) {
    if (hasReason(error, "NOT_FOUND")) yield Uint8Array.of(0);
    throw error;
  }
}

async function* lateOf(
  stream: AsyncIterable<StoredBytes>,
  keys: readonly StoredBytes["key"][],
): AsyncGenerator<StoredBytes, void, void> {
  let count = 0;
  try {
    for await (const block of stream) {
      count += 1;
      yield block;
    }
  } catch (error) {
    const key = keys[count];
    if (hasReason(error, "NOT_FOUND") && key !== undefined) yield { key, bytes: new Uint8Array() };
    throw error;
  }
}

function textOf({ confirmed }: ManifestInfo): string {
  return formatKey(confirmed.key);
}

function pathOf({ locator }: ObjectInfo): string {
  return locator.path;
}

function withoutOffsets(event: PutBlocksEvent): PutBlocksEvent {
  if (event.kind === "stored") return event;
  return { ...event, entries: event.entries.map((entry) => ({ ...entry, offset: 0 })) };
}

async function* recording(storage: ManifestStorage, pages: AsyncIterable<ManifestPage>): AsyncGenerator<ManifestPage> {
  for await (const page of pages) {
    for (const { block } of page) storage.blocks.set(formatKey(block), block);
    yield page;
  }
}

async function* shownEarly(
  storage: ManifestStorage,
  { key, attributes }: ManifestHeader,
  pages: AsyncIterable<ManifestPage>,
): AsyncGenerator<ManifestPage> {
  const text = formatKey(key);
  const info = { advertised: attributes, confirmed: { key, blockCount: 0, createdAt: 1 } };
  const early: StoredManifest = { info, pages: [] };
  if (!storage.manifests.has(text)) storage.manifests.set(text, early);
  try {
    yield* pages;
  } finally {
    if (storage.manifests.get(text) === early) storage.manifests.delete(text);
  }
}
