import assert from "node:assert/strict";
import type { Attributes } from "@graviton/ports/attributes";
import type { ByteRange } from "@graviton/ports/byte-range";
import { formatKey, type Key } from "@graviton/ports/key";
import { attributeBytesMax, blockBytesMax, keysPerCallMax, manifestPageEntries } from "@graviton/ports/limits";
import type { ManifestEntry, ManifestInfo, ManifestPage } from "@graviton/ports/manifest";
import type { ManifestReceipt, ManifestStore } from "@graviton/ports/manifest-store";
import { adjacentKeys, freshKey } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectAttributes, expectConfirmed, expectSameInfo } from "./expect-info.ts";
import { expectReason, sourceError } from "./expect-reason.ts";
import { millionEntries } from "./million-entries.ts";
import { collect, failingAfter, held, readFirst, readPages, streamOf } from "./streams.ts";

const clause = clauseOf<ManifestStore>;

/** What every {@link ManifestStore} promises. */
export const manifestStoreContract: Contract<ManifestStore> = {
  port: "ManifestStore",
  clauses: [
    clause("A manifest comes back entry for entry, in pages no longer than the limit.", async (store) => {
      for (const count of [1, manifestPageEntries, manifestPageEntries + 1, 3000]) {
        const manifest = await recorded(store, count);
        await put(store, manifest);
        const pages = await collect(store.get(manifest.key));
        assert.deepEqual(pages.flat(), manifest.entries);
        assert.ok(pages.every((page) => page.length > 0 && page.length <= manifestPageEntries));
      }
    }),

    clause("Pages of any length up to the limit may be put, the empty ones included.", async (store) => {
      const { key, entries } = await recorded(store, 2000);
      const pages = [[], entries.slice(0, 1), entries.slice(1, 700), [], entries.slice(700, 1700), entries.slice(1700)];
      await store.put({ key, attributes: {} }, streamOf(...pages));
      assert.deepEqual((await collect(store.get(key))).flat(), entries);
      await expectRefs({ store, key, entries }, { offset: entries[699]?.offset ?? 0, length: 1 });
      await expectRefs({ store, key, entries }, { offset: entries[1500]?.offset ?? 0, length: 300_000 });
    }),

    clause("The empty blob has a manifest without entries.", async (store) => {
      const key = freshKey(0);
      const receipt = await store.put({ key, attributes: {} }, streamOf());
      assert.equal(receipt.created, true);
      assert.equal((await store.stat(key)).confirmed.blockCount, 0);
      assert.deepEqual((await collect(store.get(key))).flat(), []);
      assert.deepEqual((await collect(store.blockRefs(key, { offset: 0 }))).flat(), []);
    }),

    clause("What is known of a manifest is what its writer said and what the store counted.", async (store) => {
      const manifest = await recorded(store, 3);
      const custom = { a: "b", empty: "", constructor: "c", ключ: "значение 😀" };
      const attributes = { contentType: "text/plain", name: "a name.txt", custom };
      const receipt = await put(store, manifest, attributes);
      assert.equal(receipt.created, true);
      const info = await store.stat(manifest.key);
      expectAttributes(info.advertised, attributes);
      expectConfirmed(info, manifest.key, 3);
      expectSameInfo(receipt.info, info);
    }),

    clause("What a writer leaves unsaid stays unsaid.", async (store) => {
      const manifest = await recorded(store, 1);
      await put(store, manifest, {});
      expectAttributes((await store.stat(manifest.key)).advertised, {});
    }),

    clause(
      "Attributes over their limits are TOO_LARGE, malformed ones INVALID_ARGUMENT, and nothing is stored.",
      async (store) => {
        const manifest = await recorded(store, 1);
        await expectReason("TOO_LARGE", put(store, manifest, { name: "x".repeat(attributeBytesMax + 1) }));
        await expectReason("INVALID_ARGUMENT", put(store, manifest, { name: "a\nb" }));
        await expectReason("INVALID_ARGUMENT", put(store, manifest, { custom: { "": "nameless" } }));
        await expectReason("NOT_FOUND", store.stat(manifest.key));
      },
    ),

    clause(
      "The same manifest again is a success that changes nothing, the first writer's attributes included.",
      async (store) => {
        const manifest = await recorded(store, 5);
        const first = await put(store, manifest, { name: "first" });
        const second = await put(store, manifest, { name: "second", contentType: "text/plain" });
        assert.equal(second.created, false);
        expectSameInfo(second.info, first.info);
        expectSameInfo(await store.stat(manifest.key), first.info);
        assert.deepEqual((await collect(store.get(manifest.key))).flat(), manifest.entries);
      },
    ),

    clause("Of many concurrent puts of one manifest all succeed, and exactly one created it.", async (store) => {
      const manifest = await recorded(store, 50);
      const names = Array.from({ length: 16 }, (_, index) => `writer ${index}`);
      const receipts = await Promise.all(names.map((name) => put(store, manifest, { name })));
      const winners = names.filter((_, index) => receipts[index]?.created);
      assert.equal(winners.length, 1, "writers that created it");
      assert.equal((await store.stat(manifest.key)).advertised.name, winners.join());
      assert.deepEqual((await collect(store.get(manifest.key))).flat(), manifest.entries);
    }),

    clause("No reader sees a manifest before it is whole.", async (store) => {
      const manifest = await recorded(store, 2000);
      using source = held<ManifestPage>([manifest.entries.slice(0, 1000)], [manifest.entries.slice(1000)]);
      const putting = store.put({ key: manifest.key, attributes: {} }, source.stream);
      await source.waiting;
      await expectReason("NOT_FOUND", store.stat(manifest.key), "stat");
      await expectReason("NOT_FOUND", store.get(manifest.key), "get");
      await expectReason("NOT_FOUND", store.blockRefs(manifest.key, { offset: 0 }), "blockRefs");
      await expectNotListed(store, manifest.key);
      source.release();
      await putting;
      assert.deepEqual((await collect(store.get(manifest.key))).flat(), manifest.entries);
    }),

    clause(
      "Gaps, overlaps, wrong totals, wrong order, foreign algorithms and impossible blocks are INVALID_ARGUMENT.",
      async (store) => {
        const { key, entries } = await recorded(store, 3);
        for (const [what, wrong] of malformedManifests(key, entries)) {
          const pages = streamOf<ManifestPage>(wrong.entries);
          await expectReason("INVALID_ARGUMENT", store.put({ key: wrong.key, attributes: {} }, pages), what);
          await expectAbsent(store, wrong.key);
        }
      },
    ),

    clause("A page longer than the limit is refused with INVALID_ARGUMENT and nothing is stored.", async (store) => {
      const { key, entries } = await recorded(store, manifestPageEntries + 1);
      await expectReason("INVALID_ARGUMENT", store.put({ key, attributes: {} }, streamOf(entries)));
      await expectAbsent(store, key);
    }),

    clause(
      "Entries naming blocks that nobody recorded are MISSING_BLOCKS with their list, and nothing is stored.",
      async (store) => {
        const known = freshKey();
        await store.recordBlocks([known]);
        const unknown = [freshKey(), freshKey()];
        const manifest = manifestOf([known, ...unknown, known]);
        const error = await expectReason("MISSING_BLOCKS", put(store, manifest));
        assert.equal(error.resource, formatKey(manifest.key));
        assert.deepEqual(new Set(error.missing), new Set(unknown.map(formatKey)));
        await expectAbsent(store, manifest.key);
        await store.recordBlocks(unknown);
        assert.equal((await put(store, manifest)).created, true);
      },
    ),

    clause("A long list of missing blocks may be cut short, and names none but missing ones.", async (store) => {
      const unknown = Array.from({ length: 1500 }, () => freshKey());
      const error = await expectReason("MISSING_BLOCKS", put(store, manifestOf(unknown)));
      const texts = new Set(unknown.map(formatKey));
      const { missing = [] } = error;
      assert.ok(missing.length > 0 && missing.length <= 1000, `${missing.length} are named, not 1 to 1,000`);
      assert.ok(missing.every((text) => texts.has(text)));
    }),

    clause("A source that fails ends the put with its error and leaves nothing.", async (store) => {
      const { key, entries } = await recorded(store, 10);
      const source = failingAfter<ManifestPage>(sourceError, entries);
      await expectReason(sourceError.reason, store.put({ key, attributes: {} }, source));
      await expectAbsent(store, key);
    }),

    clause(
      "A put that is aborted while its source is silent ends with CANCELLED and leaves nothing.",
      async (store) => {
        const { key, entries } = await recorded(store, 10);
        using source = held<ManifestPage>([entries], []);
        const abort = new AbortController();
        const putting = store.put({ key, attributes: {} }, source.stream, { signal: abort.signal });
        await source.waiting;
        abort.abort();
        await expectReason("CANCELLED", putting);
        await expectAbsent(store, key);
      },
    ),

    millionEntries,

    clause("The refs of a range are just those of the blocks that hold a byte of it.", async (store) => {
      const manifest = await recorded(store, 3000);
      await put(store, manifest);
      const of = { store, ...manifest };
      const { size } = manifest.key;
      const edge = manifest.entries[manifestPageEntries]?.offset ?? 0;
      await expectRefs(of, { offset: 0 });
      await expectRefs(of, { offset: 0, length: 1 });
      await expectRefs(of, { offset: size - 1, length: 1 });
      await expectRefs(of, { offset: size - 1, length: 1000 });
      await expectRefs(of, { offset: edge, length: 1 });
      await expectRefs(of, { offset: edge - 1, length: 1 });
      await expectRefs(of, { offset: edge - 1, length: 2 });
      for (let offset = 0; offset < size; offset += 91_003) await expectRefs(of, { offset, length: 50_000 });
    }),

    clause("A range without bytes has no refs.", async (store) => {
      const manifest = await recorded(store, 3);
      await put(store, manifest);
      for (const offset of [0, 500, manifest.entries[1]?.offset ?? 0, manifest.key.size]) {
        const refs = await collect(store.blockRefs(manifest.key, { offset, length: 0 }));
        assert.deepEqual(refs.flat(), [], `the refs of no bytes at ${offset}`);
      }
      assert.deepEqual((await collect(store.blockRefs(manifest.key, { offset: manifest.key.size }))).flat(), []);
    }),

    clause(
      "A range that begins beyond the end is OUT_OF_RANGE; one that is malformed INVALID_ARGUMENT.",
      async (store) => {
        const manifest = await recorded(store, 3);
        await put(store, manifest);
        await expectReason("OUT_OF_RANGE", store.blockRefs(manifest.key, { offset: manifest.key.size + 1 }));
        await expectReason("INVALID_ARGUMENT", store.blockRefs(manifest.key, { offset: -1 }));
        await expectReason("INVALID_ARGUMENT", store.blockRefs(manifest.key, { offset: 0, length: 0.5 }));
      },
    ),

    clause("A manifest that is not stored is NOT_FOUND and named, before the first page.", async (store) => {
      const key = freshKey();
      for (const call of [store.stat(key), store.get(key), store.blockRefs(key, { offset: 0 })]) {
        assert.equal((await expectReason("NOT_FOUND", call)).resource, formatKey(key));
      }
    }),

    clause("A key with the right digest and a wrong size names nothing.", async (store) => {
      const manifest = await recorded(store, 3);
      await put(store, manifest);
      await expectReason("NOT_FOUND", store.stat({ ...manifest.key, size: manifest.key.size + 1 }));
    }),

    clause("A malformed key is refused with INVALID_ARGUMENT.", async (store) => {
      const wrong = { ...freshKey(), digest: "ABC" };
      await expectReason("INVALID_ARGUMENT", store.put({ key: wrong, attributes: {} }, streamOf()), "put");
      await expectReason("INVALID_ARGUMENT", store.get(wrong), "get");
      await expectReason("INVALID_ARGUMENT", store.stat(wrong), "stat");
      await expectReason("INVALID_ARGUMENT", store.blockRefs(wrong, { offset: 0 }), "blockRefs");
      await expectReason("INVALID_ARGUMENT", store.delete(wrong), "delete");
      await expectReason("INVALID_ARGUMENT", store.findMissingBlocks([wrong]), "findMissingBlocks");
      await expectReason("INVALID_ARGUMENT", store.recordBlocks([wrong]), "recordBlocks");
    }),

    clause("A reader may stop early, and what the read held is freed.", async (store) => {
      const manifest = await recorded(store, 5000);
      await put(store, manifest);
      for (let round = 0; round < 50; round += 1) {
        assert.deepEqual((await readFirst(store.get(manifest.key)))?.[0], manifest.entries[0]);
        assert.ok(await readFirst(store.list()));
      }
    }),

    clause("Deleting removes just the manifest named, is idempotent, and leaves its blocks known.", async (store) => {
      const manifest = await recorded(store, 3);
      const other = manifestOf(manifest.entries.slice(0, 2).map(({ block }) => block));
      await put(store, manifest);
      await put(store, other);
      await store.delete(manifest.key);
      await store.delete(manifest.key);
      await store.delete(freshKey());
      await expectAbsent(store, manifest.key);
      assert.deepEqual((await collect(store.get(other.key))).flat(), other.entries);
      assert.deepEqual(await store.findMissingBlocks(manifest.entries.map(({ block }) => block)), []);
      assert.equal((await put(store, manifest)).created, true);
    }),

    clause(
      "A list gives manifests in the byte order of their keys, pages that begin after a key and end at a limit.",
      async (store) => {
        const [before, ...keys] = await putAdjacent(store, 26);
        assert.ok(before);
        await store.delete(before);
        const paged: string[] = [];
        for (let after = formatKey(before); paged.length < keys.length; after = paged.at(-1) ?? "") {
          const page = (await collect(store.list({ after, limit: 5 }))).map(textOf);
          assert.equal(page.length, 5, "a page is as long as the limit allows");
          paged.push(...page);
        }
        assert.deepEqual(paged, keys.map(formatKey));
      },
    ),

    clause("A list shows what is known of each manifest.", async (store) => {
      const [before, key] = adjacentKeys(2, 0);
      assert.ok(before && key);
      const { info } = await store.put({ key, attributes: { name: "listed", custom: { a: "b" } } }, streamOf());
      const [first] = await collect(store.list({ after: formatKey(before), limit: 1 }));
      assert.ok(first);
      expectSameInfo(first, info);
    }),

    clause(
      "A list loses and doubles none that was there from beginning to end, whatever is written meanwhile.",
      async (store) => {
        const [before, ...keys] = await putAdjacent(store, 41);
        assert.ok(before);
        const stay = keys.filter((_, index) => index % 2 === 0);
        const go = keys.filter((_, index) => index % 2 === 1);
        await Promise.all(go.slice(10).map((key) => store.delete(key)));
        const end = formatKey(keys.at(-1) as Key);
        const page = (last = formatKey(before)) => textsUpTo(end, store.list({ after: last, limit: 10 }));
        const seen = await readPages<string>(page, [
          () => Promise.all(go.slice(0, 10).map((key) => store.delete(key))),
          () => Promise.all(go.slice(10).map((key) => store.put({ key, attributes: {} }, streamOf()))),
        ]);
        assert.equal(new Set(seen).size, seen.length, "none is doubled");
        assert.deepEqual(
          seen.filter((text) => stay.some((key) => formatKey(key) === text)),
          stay.map(formatKey),
        );
      },
    ),

    clause(
      "A list without bounds gives every manifest.",
      async (store) => {
        assert.deepEqual((await collect(store.list())).map(textOf), []);
        const keys = [...(await putAdjacent(store, 3)), ...(await putAdjacent(store, 3))];
        const blake3 = { ...freshKey(0), algorithm: "blake3" } as const;
        await store.put({ key: blake3, attributes: {} }, streamOf());
        assert.deepEqual((await collect(store.list())).map(textOf), [blake3, ...keys].map(formatKey).sort());
      },
      "isolation",
    ),

    clause("A limit that is not a whole number of 1 or more is refused with INVALID_ARGUMENT.", async (store) => {
      for (const limit of [0, -1, 1.5]) await expectReason("INVALID_ARGUMENT", store.list({ limit }), `limit ${limit}`);
    }),

    clause("The blocks that nobody recorded are found, in the order asked, among 14,000 at once.", async (store) => {
      const keys = Array.from({ length: 14_000 }, () => freshKey());
      await store.recordBlocks(keys.filter((_, index) => index % 7 !== 0));
      const missing = keys.filter((_, index) => index % 7 === 0);
      assert.deepEqual((await store.findMissingBlocks(keys)).map(formatKey), missing.map(formatKey));
      assert.deepEqual(await store.findMissingBlocks([]), []);
    }),

    clause("Recording is idempotent, and many may record the same blocks at once.", async (store) => {
      const keys = Array.from({ length: 500 }, () => freshKey());
      await Promise.all([keys, [...keys].reverse(), keys, keys.slice(100)].map((some) => store.recordBlocks(some)));
      await store.recordBlocks([...keys, ...keys]);
      assert.deepEqual(await store.findMissingBlocks(keys), []);
    }),

    clause("More keys in one call than the limit are refused with TOO_LARGE.", async (store) => {
      const keys = Array.from({ length: keysPerCallMax + 1 }, () => freshKey());
      await expectReason("TOO_LARGE", store.findMissingBlocks(keys), "findMissingBlocks");
      await expectReason("TOO_LARGE", store.recordBlocks(keys), "recordBlocks");
      assert.equal((await store.findMissingBlocks(keys.slice(0, 10))).length, 10);
    }),

    {
      says: "What was put is there after reopening.",
      needs: "durable",
      async check(harness) {
        const { manifest, info, gone, loose } = await (async () => {
          await using store = await harness.open();
          const manifest = await recorded(store, 3000);
          const { info } = await put(store, manifest, { name: "kept" });
          const gone = manifestOf([manifest.entries[0]?.block as Key]);
          await put(store, gone);
          await store.delete(gone.key);
          const loose = freshKey();
          await store.recordBlocks([loose]);
          return { manifest, info, gone, loose };
        })();
        await using store = await harness.open();
        expectSameInfo(await store.stat(manifest.key), info);
        assert.deepEqual((await collect(store.get(manifest.key))).flat(), manifest.entries);
        assert.deepEqual(await store.findMissingBlocks([loose]), []);
        await expectAbsent(store, gone.key);
      },
    },

    clause(
      "A manifest whose stored bits flipped reads as CORRUPT, never as entries.",
      async (store, harness) => {
        const manifest = await recorded(store, 3);
        await put(store, manifest);
        await harness.damage(formatKey(manifest.key));
        await expectReason("CORRUPT", store.get(manifest.key));
      },
      "damage",
    ),

    {
      says: "Dispose waits for the manifest in flight.",
      async check(harness) {
        const store = await harness.open();
        const { key, entries } = await recorded(store, 10);
        using source = held<ManifestPage>([], [entries]);
        const putting = store.put({ key, attributes: {} }, source.stream);
        await source.waiting;
        const calls = [putting, store.findMissingBlocks([key]), store.recordBlocks([freshKey()])];
        await expectDisposeWaits(store, calls, source.release);
        await using again = await harness.open();
        assert.deepEqual((await collect(again.get(key))).flat(), entries);
      },
    },

    clause("Dispose ends a read that nobody pulls from, which then refuses to go on.", async (store) => {
      const manifest = await recorded(store, 3000);
      await put(store, manifest);
      const pages = store.get(manifest.key)[Symbol.asyncIterator]();
      await pages.next();
      await store[Symbol.asyncDispose]();
      await expectReason("UNAVAILABLE", pages.next());
    }),

    ...everyMethod<ManifestStore>(async (store) => {
      const manifest = await recorded(store, 1);
      await put(store, manifest);
      const { key } = manifest;
      return {
        put: (options) => put(store, manifest, {}, options),
        get: (options) => store.get(key, options),
        stat: (options) => store.stat(key, options),
        blockRefs: (options) => store.blockRefs(key, { offset: 0 }, options),
        delete: (options) => store.delete(freshKey(), options),
        list: (options) => store.list({ ...options, limit: 1 }),
        findMissingBlocks: (options) => store.findMissingBlocks([key], options),
        recordBlocks: (options) => store.recordBlocks([freshKey()], options),
      };
    }),
  ],
};

interface Manifest {
  readonly key: Key;
  readonly entries: readonly ManifestEntry[];
}

/** A manifest of these blocks, one after the other, under a key of their total size. */
function manifestOf(blocks: readonly Key[]): Manifest {
  let offset = 0;
  const entries = blocks.map((block, index) => {
    const entry = { index, offset, block };
    offset += block.size;
    return entry;
  });
  return { key: freshKey(offset), entries };
}

/** A manifest of fresh blocks of different sizes, which are recorded. */
async function recorded(store: ManifestStore, count: number): Promise<Manifest> {
  const manifest = manifestOf(Array.from({ length: count }, (_, index) => freshKey(1 + ((index * 7919) % 1999))));
  await store.recordBlocks(manifest.entries.map(({ block }) => block));
  return manifest;
}

function put(
  store: ManifestStore,
  { key, entries }: Manifest,
  attributes: Attributes = {},
  options?: Parameters<ManifestStore["put"]>[2],
): Promise<ManifestReceipt> {
  return store.put({ key, attributes }, pagesOf(entries), options);
}

async function* pagesOf(entries: readonly ManifestEntry[]): AsyncGenerator<ManifestPage, void, void> {
  for (let at = 0; at < entries.length; at += manifestPageEntries) yield entries.slice(at, at + manifestPageEntries);
}

/** Puts manifests without entries whose keys stand next to each other in every list. */
async function putAdjacent(store: ManifestStore, count: number): Promise<Key[]> {
  const keys = adjacentKeys(count, 0);
  await Promise.all([...keys].reverse().map((key) => store.put({ key, attributes: {} }, streamOf())));
  return keys;
}

/** The keys that a list gives, as far as this one. */
async function* textsUpTo(end: string, infos: AsyncIterable<ManifestInfo>): AsyncGenerator<string, void, void> {
  for await (const info of infos) {
    if (textOf(info) > end) return;
    yield textOf(info);
  }
}

/** Asserts that a list does not give the key at its place, between the key before it and the one after it. */
async function expectNotListed(store: ManifestStore, key: Key): Promise<void> {
  const just = key.digest.slice(0, -8);
  const before = { ...key, digest: just + "0".repeat(8), size: 0 };
  const after = { ...key, digest: just + "f".repeat(8), size: Number.MAX_SAFE_INTEGER };
  for await (const info of store.list({ after: formatKey(before) })) {
    if (textOf(info) > formatKey(after)) return;
    assert.notEqual(textOf(info), formatKey(key), "a list");
  }
}

function textOf(info: ManifestInfo): string {
  return formatKey(info.confirmed.key);
}

async function expectAbsent(store: ManifestStore, key: Key): Promise<void> {
  await expectReason("NOT_FOUND", store.stat(key), "stat");
  await expectReason("NOT_FOUND", store.get(key), "get");
}

async function expectRefs(of: Manifest & { readonly store: ManifestStore }, range: ByteRange): Promise<void> {
  const end = range.offset + (range.length ?? of.key.size);
  const expected = of.entries.filter(({ offset, block }) => offset < end && offset + block.size > range.offset);
  const pages = await collect(of.store.blockRefs(of.key, range));
  assert.deepEqual(pages.flat(), expected, `the refs of ${JSON.stringify(range)}`);
  assert.ok(pages.every((page) => page.length <= manifestPageEntries));
}

/** Manifests that are wrong, each by what is wrong with it. */
function malformedManifests(key: Key, [a, b, c]: readonly ManifestEntry[]): [string, Manifest][] {
  assert.ok(a && b && c);
  const total = (size: number): Key => ({ ...key, size });
  const foreign: ManifestEntry = { ...c, block: { ...c.block, algorithm: "blake3" } };
  const large: ManifestEntry = { ...c, block: { ...c.block, size: blockBytesMax + 1 } };
  const empty: ManifestEntry = { ...c, block: { ...c.block, size: 0 } };
  return [
    ["a gap", { key: total(key.size + 1), entries: [a, b, { ...c, offset: c.offset + 1 }] }],
    ["an overlap", { key: total(key.size - 1), entries: [a, b, { ...c, offset: c.offset - 1 }] }],
    ["a first entry that does not begin at 0", { key, entries: [{ ...a, offset: 1 }, b, c] }],
    ["an index left out", { key, entries: [a, b, { ...c, index: 3 }] }],
    ["entries out of order", { key, entries: [b, a, c] }],
    ["an entry left out", { key, entries: [a, b] }],
    ["a total that is too small", { key: total(key.size - 1), entries: [a, b, c] }],
    ["a total that is too large", { key: total(key.size + 1), entries: [a, b, c] }],
    ["a block of another algorithm", { key, entries: [a, b, foreign] }],
    ["a block over the limit", { key: total(c.offset + blockBytesMax + 1), entries: [a, b, large] }],
    ["an empty block", { key: total(c.offset), entries: [a, b, empty] }],
  ];
}
