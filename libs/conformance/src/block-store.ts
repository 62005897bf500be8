import assert from "node:assert/strict";
import type { BlockInput, BlockStore, PutBlocksEvent } from "@graviton/ports/block-store";
import { formatKey, type Key } from "@graviton/ports/key";
import { blockBytesMax, blocksPerPutMax, keysPerCallMax } from "@graviton/ports/limits";
import type { BlockWritePlan } from "@graviton/ports/plan";
import { blake3OfAbc, expectBytes, freshBytes, freshKey, sha256KeyOf, utf8 } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectReason, sourceError } from "./expect-reason.ts";
import { collect, eachOf, failingAfter, held, reusingOneBuffer, streamOf } from "./streams.ts";

const clause = clauseOf<BlockStore>;
const sha256 = { algorithm: "sha256" } as const;

/** What every {@link BlockStore} promises. */
export const blockStoreContract: Contract<BlockStore> = {
  port: "BlockStore",
  clauses: [
    clause("A block comes back as exactly the bytes that were put, whatever its size.", async (store) => {
      for (const size of [1, 2, 1000, 65_536, 1024 * 1024 + 1]) {
        const bytes = freshBytes(size);
        const [key] = await put(store, [bytes]);
        assert.deepEqual(key, sha256KeyOf(bytes));
        expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
      }
    }),

    clause("A block is named by BLAKE3 unless the plan says otherwise.", async (store) => {
      const events = await collect(store.putBlocks({}, streamOf({ bytes: utf8("abc") })));
      assert.deepEqual(keysOf(events), [blake3OfAbc]);
      expectBytes(await store.get(blake3OfAbc), utf8("abc"));
    }),

    clause(
      "A block that comes with its right key is stored under it, whatever the plan's algorithm.",
      async (store) => {
        const bytes = freshBytes(1000);
        const key = sha256KeyOf(bytes);
        const events = await collect(store.putBlocks({ algorithm: "blake3" }, streamOf({ bytes, key })));
        assert.deepEqual(keysOf(events), [key]);
        expectBytes(await store.get(key), bytes);
      },
    ),

    clause("A block of exactly the limit is stored.", async (store) => {
      const bytes = freshBytes(blockBytesMax);
      const [key] = await put(store, [bytes]);
      expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
      assert.equal(key?.size, blockBytesMax);
    }),

    clause("A block one byte over the limit is refused with TOO_LARGE and leaves nothing.", async (store) => {
      const bytes = freshBytes(blockBytesMax + 1);
      await expectReason("TOO_LARGE", put(store, [bytes]));
      assert.deepEqual(await store.exists([sha256KeyOf(bytes)]), [false]);
    }),

    clause("An empty block is refused with INVALID_ARGUMENT.", async (store) => {
      await expectReason("INVALID_ARGUMENT", put(store, [new Uint8Array()]));
    }),

    clause("A claimed key of other bytes is HASH_MISMATCH and leaves nothing under either key.", async (store) => {
      const bytes = freshBytes(1000);
      const claimed = freshKey(1000);
      const error = await expectReason("HASH_MISMATCH", putInputs(store, [{ bytes, key: claimed }]));
      assert.equal(error.resource, formatKey(claimed));
      assert.deepEqual(await store.exists([claimed, sha256KeyOf(bytes)]), [false, false]);
    }),

    clause(
      "A claimed key with the right digest and a wrong size is HASH_MISMATCH and leaves nothing.",
      async (store) => {
        const bytes = freshBytes(1000);
        const key = sha256KeyOf(bytes);
        await expectReason("HASH_MISMATCH", putInputs(store, [{ bytes, key: { ...key, size: 999 } }]));
        assert.deepEqual(await store.exists([key, { ...key, size: 999 }]), [false, false]);
      },
    ),

    clause("A key with the right digest and a wrong size names nothing.", async (store) => {
      const bytes = freshBytes(1000);
      await put(store, [bytes]);
      const wrong = { ...sha256KeyOf(bytes), size: 1001 };
      assert.deepEqual(await store.exists([wrong]), [false]);
      await expectReason("NOT_FOUND", store.get(wrong));
    }),

    clause("A block is FRESH the first time and DUPLICATE from then on.", async (store) => {
      const bytes = freshBytes(1000);
      assert.deepEqual(statusesOf(await putEvents(store, [bytes])), ["FRESH"]);
      assert.deepEqual(statusesOf(await putEvents(store, [bytes])), ["DUPLICATE"]);
      expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
    }),

    clause("A block that occurs twice in one put is FRESH once.", async (store) => {
      const bytes = freshBytes(1000);
      assert.deepEqual(statusesOf(await putEvents(store, [bytes, bytes])), ["FRESH", "DUPLICATE"]);
    }),

    clause("A block that was put twice is one copy: one delete removes it.", async (store) => {
      const bytes = freshBytes(1000);
      await put(store, [bytes]);
      await put(store, [bytes]);
      await store.delete([sha256KeyOf(bytes)]);
      assert.deepEqual(await store.exists([sha256KeyOf(bytes)]), [false]);
    }),

    clause("Many concurrent puts of one block all succeed.", async (store) => {
      const bytes = freshBytes(100_000);
      await Promise.all(Array.from({ length: 32 }, () => put(store, [bytes])));
      expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
    }),

    clause("Many concurrent puts of different blocks all succeed.", async (store) => {
      const blocks = Array.from({ length: 64 }, () => freshBytes(1000));
      await Promise.all(blocks.map((bytes) => put(store, [bytes])));
      for (const bytes of blocks) expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
    }),

    clause("Blocks are reported in the order given, however long each takes.", async (store) => {
      const blocks = [1_000_000, 1, 300_000, 2, 3].map(freshBytes);
      assert.deepEqual(await put(store, blocks), blocks.map(sha256KeyOf));
    }),

    clause("A block is reported once it is durable, without waiting for the next one.", async (store) => {
      const bytes = freshBytes(1000);
      using source = held<BlockInput>([{ bytes }], []);
      const events = store.putBlocks(sha256, source.stream)[Symbol.asyncIterator]();
      const first = await events.next();
      assert.deepEqual(first.value, { kind: "stored", key: sha256KeyOf(bytes), status: "FRESH" });
      expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
      source.release();
      while (!(await events.next()).done);
    }),

    clause(
      "The last event is the manifest: contiguous offsets in the order given, repetitions included.",
      async (store) => {
        const [a, b] = [freshBytes(1000), freshBytes(234)];
        const events = await putEvents(store, [a, b, a]);
        assert.deepEqual(events.at(-1), {
          kind: "manifest",
          entries: [
            { index: 0, offset: 0, block: sha256KeyOf(a) },
            { index: 1, offset: 1000, block: sha256KeyOf(b) },
            { index: 2, offset: 1234, block: sha256KeyOf(a) },
          ],
        });
        assert.equal(events.length, 4);
      },
    ),

    clause("A put of no blocks gives the empty manifest.", async (store) => {
      assert.deepEqual(await putEvents(store, []), [{ kind: "manifest", entries: [] }]);
    }),

    clause(
      "With fixed framing the input is one stream, cut every so many bytes however it was framed.",
      async (store) => {
        const bytes = freshBytes(2500);
        const frames = [bytes.subarray(0, 1), bytes.subarray(1, 1700), bytes.subarray(1700)];
        const plan: BlockWritePlan = { ...sha256, framing: { kind: "fixed", blockBytes: 1000 } };
        const inputs = streamOf(...frames.map((frame) => ({ bytes: frame })));
        const cuts = [bytes.subarray(0, 1000), bytes.subarray(1000, 2000), bytes.subarray(2000)];
        assert.deepEqual(keysOf(await collect(store.putBlocks(plan, inputs))), cuts.map(sha256KeyOf));
      },
    ),

    clause("A plan out of bounds is refused with INVALID_ARGUMENT.", async (store) => {
      const plans = [
        { framing: { kind: "fixed", blockBytes: 0 } },
        { framing: { kind: "fixed", blockBytes: blockBytesMax + 1 } },
        { framing: { kind: "fixed", blockBytes: 1.5 } },
        { algorithm: "md5" },
        { duplicates: "perhaps" },
      ] as unknown as BlockWritePlan[];
      for (const plan of plans) {
        const refused = store.putBlocks(plan, streamOf({ bytes: freshBytes(10) }));
        await expectReason("INVALID_ARGUMENT", refused, JSON.stringify(plan));
      }
    }),

    clause("More blocks in one put than the limit are refused with TOO_LARGE.", async (store) => {
      const plan: BlockWritePlan = { ...sha256, framing: { kind: "fixed", blockBytes: 1 } };
      const bytes = new Uint8Array(blocksPerPutMax + 1);
      await expectReason("TOO_LARGE", collect(store.putBlocks(plan, streamOf({ bytes }))));
    }),

    clause("A source that fails ends the put with its error; what was reported stays.", async (store) => {
      const bytes = freshBytes(1000);
      const reported: PutBlocksEvent[] = [];
      const source = failingAfter<BlockInput>(sourceError, { bytes });
      const reading = async () => {
        for await (const event of store.putBlocks(sha256, source)) reported.push(event);
      };
      await expectReason(sourceError.reason, reading());
      for (const key of keysOf(reported)) expectBytes(await store.get(key), bytes);
    }),

    clause("A source that fails in the middle of a block leaves nothing of that block.", async (store) => {
      const bytes = freshBytes(1500);
      const plan: BlockWritePlan = { ...sha256, framing: { kind: "fixed", blockBytes: 1000 } };
      const source = failingAfter<BlockInput>(sourceError, { bytes });
      await expectReason(sourceError.reason, collect(store.putBlocks(plan, source)));
      assert.deepEqual(await store.exists([sha256KeyOf(bytes.subarray(1000))]), [false]);
    }),

    clause("A block that fails ends the put; those reported before it stay.", async (store) => {
      const good = freshBytes(1000);
      const reported: PutBlocksEvent[] = [];
      const inputs = streamOf<BlockInput>({ bytes: good }, { bytes: freshBytes(10), key: freshKey(10) });
      const reading = async () => {
        for await (const event of store.putBlocks(sha256, inputs)) reported.push(event);
      };
      await expectReason("HASH_MISMATCH", reading());
      assert.ok(!reported.some((event) => event.kind === "manifest"), "a put that failed has no manifest");
      for (const key of keysOf(reported)) expectBytes(await store.get(key), good);
    }),

    clause("A caller that reuses its buffer for the next block cannot change what is stored.", async (store) => {
      const blocks = [freshBytes(1000), freshBytes(1000), freshBytes(1000)];
      await collect(store.putBlocks(sha256, inputsOf(reusingOneBuffer(...blocks))));
      for (const bytes of blocks) expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
    }),

    clause("Changing the bytes that a read returned cannot change what is stored.", async (store) => {
      const bytes = freshBytes(1000);
      const key = sha256KeyOf(bytes);
      await put(store, [bytes]);
      (await store.get(key)).fill(0);
      (await store.get(key, { offset: 10, length: 10 })).fill(0);
      for (const block of await collect(store.getMany([key]))) block.bytes.fill(0);
      expectBytes(await store.get(key), bytes);
    }),

    clause("A read of a block that is not stored is NOT_FOUND and names it.", async (store) => {
      const key = freshKey();
      const error = await expectReason("NOT_FOUND", store.get(key));
      assert.equal(error.resource, formatKey(key));
    }),

    clause("A malformed key is refused with INVALID_ARGUMENT.", async (store) => {
      const key = freshKey();
      const malformed = [
        { ...key, digest: key.digest.toUpperCase().replace(/.$/, "A") },
        { ...key, digest: key.digest.slice(1) },
        { ...key, size: -1 },
        { ...key, size: 1.5 },
        { ...key, algorithm: "md5" },
      ] as Key[];
      for (const wrong of malformed) {
        await expectReason("INVALID_ARGUMENT", store.get(wrong), `get ${formatKey(wrong)}`);
        await expectReason("INVALID_ARGUMENT", store.exists([wrong]), `exists ${formatKey(wrong)}`);
        await expectReason("INVALID_ARGUMENT", store.getMany([wrong]), `getMany ${formatKey(wrong)}`);
        await expectReason("INVALID_ARGUMENT", store.delete([wrong]), `delete ${formatKey(wrong)}`);
      }
    }),

    clause("A range reads the first bytes, the last, the whole, and stops at the end.", async (store) => {
      const bytes = freshBytes(1000);
      const key = sha256KeyOf(bytes);
      await put(store, [bytes]);
      expectBytes(await store.get(key, { offset: 0, length: 1 }), bytes.subarray(0, 1), "the first byte");
      expectBytes(await store.get(key, { offset: 999 }), bytes.subarray(999), "the last byte");
      expectBytes(await store.get(key, { offset: 0, length: 1000 }), bytes, "the whole");
      expectBytes(await store.get(key, { offset: 100, length: 50 }), bytes.subarray(100, 150), "the middle");
      expectBytes(await store.get(key, { offset: 990, length: 50 }), bytes.subarray(990), "past the end");
      expectBytes(await store.get(key, { offset: 1000 }), new Uint8Array(), "the end");
      expectBytes(await store.get(key, { offset: 10, length: 0 }), new Uint8Array(), "no bytes");
    }),

    clause(
      "A range that begins beyond the end is OUT_OF_RANGE; one that is malformed INVALID_ARGUMENT.",
      async (store) => {
        const bytes = freshBytes(1000);
        const key = sha256KeyOf(bytes);
        await put(store, [bytes]);
        await expectReason("OUT_OF_RANGE", store.get(key, { offset: 1001 }));
        await expectReason("INVALID_ARGUMENT", store.get(key, { offset: -1 }));
        await expectReason("INVALID_ARGUMENT", store.get(key, { offset: 0.5 }));
        await expectReason("INVALID_ARGUMENT", store.get(key, { offset: 0, length: -1 }));
      },
    ),

    clause("Many blocks come in the order asked, repetitions included.", async (store) => {
      const blocks = [700_000, 10, 300_000].map(freshBytes);
      const [a, b, c] = await put(store, blocks);
      assert.ok(a && b && c);
      const read = await collect(store.getMany([c, a, b, a]));
      assert.deepEqual(
        read.map(({ key }) => key),
        [c, a, b, a],
      );
      for (const { key, bytes } of read) assert.deepEqual(sha256KeyOf(bytes), key);
      assert.deepEqual(await collect(store.getMany([])), []);
    }),

    clause(
      "Of many blocks the first that is not stored ends the stream with NOT_FOUND and its name.",
      async (store) => {
        const [key] = await put(store, [freshBytes(1000)]);
        const absent = freshKey();
        assert.ok(key);
        const seen: Key[] = [];
        const reading = async () => {
          for await (const block of store.getMany([key, absent, key])) seen.push(block.key);
        };
        const error = await expectReason("NOT_FOUND", reading());
        assert.equal(error.resource, formatKey(absent));
        assert.deepEqual(seen, [key]);
      },
    ),

    clause("A reader of many blocks may stop early, and what the read held is freed.", async (store) => {
      const keys = await put(
        store,
        Array.from({ length: 20 }, () => freshBytes(300_000)),
      );
      for (let round = 0; round < 50; round += 1) {
        for await (const block of store.getMany(keys)) {
          assert.deepEqual(block.key, keys[0]);
          break;
        }
      }
      assert.deepEqual(
        await store.exists(keys),
        keys.map(() => true),
      );
    }),

    clause("Presence agrees with reading, in the order asked, for 14,000 keys at once.", async (store) => {
      const stored = await put(
        store,
        Array.from({ length: 14 }, () => freshBytes(100)),
      );
      const keys = Array.from({ length: 14_000 }, (_, index) => stored[index / 1000] ?? freshKey());
      const there = await store.exists(keys);
      assert.deepEqual(
        there,
        keys.map((_, index) => index % 1000 === 0),
      );
      for (const key of stored) assert.equal((await store.get(key)).length, 100);
    }),

    clause("More keys in one call than the limit are refused with TOO_LARGE.", async (store) => {
      const keys = Array.from({ length: keysPerCallMax + 1 }, () => freshKey());
      await expectReason("TOO_LARGE", store.exists(keys), "exists");
      await expectReason("TOO_LARGE", store.getMany(keys), "getMany");
      await expectReason("TOO_LARGE", store.delete(keys), "delete");
    }),

    clause("Deleting removes just the blocks named, and is idempotent.", async (store) => {
      const [a, b] = await put(store, [freshBytes(1000), freshBytes(1000)]);
      assert.ok(a && b);
      await store.delete([a, freshKey()]);
      await store.delete([a]);
      await store.delete([]);
      assert.deepEqual(await store.exists([a, b]), [false, true]);
      await expectReason("NOT_FOUND", store.get(a));
    }),

    clause("A block that was deleted is FRESH again.", async (store) => {
      const bytes = freshBytes(1000);
      await put(store, [bytes]);
      await store.delete([sha256KeyOf(bytes)]);
      assert.deepEqual(statusesOf(await putEvents(store, [bytes])), ["FRESH"]);
      expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
    }),

    {
      says: "What was put is there after reopening.",
      needs: "durable",
      async check(harness) {
        const bytes = freshBytes(100_000);
        {
          await using store = await harness.open();
          await put(store, [bytes]);
        }
        await using store = await harness.open();
        expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
        assert.deepEqual(statusesOf(await putEvents(store, [bytes])), ["DUPLICATE"]);
      },
    },

    clause(
      "A block whose stored bits flipped reads as CORRUPT, never as data.",
      async (store, harness) => {
        const [key] = await put(store, [freshBytes(1000)]);
        assert.ok(key);
        await harness.damage(formatKey(key));
        const error = await expectReason("CORRUPT", store.get(key));
        assert.equal(error.resource, formatKey(key));
        await expectReason("CORRUPT", store.get(key, { offset: 0, length: 1 }), "a range");
        await expectReason("CORRUPT", store.getMany([key]), "many blocks");
      },
      "damage",
    ),

    clause(
      "A put that rewrites duplicates heals a block whose stored bits flipped.",
      async (store, harness) => {
        const bytes = freshBytes(1000);
        await put(store, [bytes]);
        await harness.damage(formatKey(sha256KeyOf(bytes)));
        const events = await collect(store.putBlocks({ ...sha256, duplicates: "rewrite" }, streamOf({ bytes })));
        assert.deepEqual(statusesOf(events), ["DUPLICATE"]);
        expectBytes(await store.get(sha256KeyOf(bytes)), bytes);
      },
      "damage",
    ),

    clause("A put that is aborted while its source is silent ends with CANCELLED.", async (store) => {
      using source = held<BlockInput>([{ bytes: freshBytes(1000) }], []);
      const abort = new AbortController();
      const reading = collect(store.putBlocks(sha256, source.stream, { signal: abort.signal }));
      await source.waiting;
      abort.abort();
      await expectReason("CANCELLED", reading);
    }),

    clause("Dispose waits for the block in flight.", async (store) => {
      const bytes = freshBytes(1000);
      using source = held<BlockInput>([], [{ bytes }]);
      const events = store.putBlocks(sha256, source.stream)[Symbol.asyncIterator]();
      const first = events.next();
      await source.waiting;
      await expectDisposeWaits(store, [first], source.release);
      assert.deepEqual((await first).value, { kind: "stored", key: sha256KeyOf(bytes), status: "FRESH" });
    }),

    clause("Dispose waits for reads and deletions in flight.", async (store) => {
      const [key, ...others] = await put(
        store,
        Array.from({ length: 17 }, () => freshBytes(1000)),
      );
      assert.ok(key);
      await expectDisposeWaits(
        store,
        others.flatMap((other) => [store.get(key), store.exists([key]), store.delete([other])]),
      );
    }),

    clause("Dispose ends a read that nobody pulls from, which then refuses to go on.", async (store) => {
      const keys = await put(store, [freshBytes(1000), freshBytes(1000)]);
      const blocks = store.getMany(keys)[Symbol.asyncIterator]();
      await blocks.next();
      await store[Symbol.asyncDispose]();
      await expectReason("UNAVAILABLE", blocks.next());
    }),

    ...everyMethod<BlockStore>(async (store) => {
      const [key] = await put(store, [freshBytes(1000)]);
      assert.ok(key);
      return {
        putBlocks: (options) => store.putBlocks(sha256, streamOf({ bytes: freshBytes(10) }), options),
        get: (options) => store.get(key, undefined, options),
        getMany: (options) => store.getMany([key], options),
        exists: (options) => store.exists([key], options),
        delete: (options) => store.delete([freshKey()], options),
      };
    }),
  ],
};

async function put(store: BlockStore, blocks: readonly Uint8Array[]): Promise<Key[]> {
  return keysOf(await putEvents(store, blocks));
}

function putEvents(store: BlockStore, blocks: readonly Uint8Array[]): Promise<PutBlocksEvent[]> {
  return putInputs(
    store,
    blocks.map((bytes) => ({ bytes })),
  );
}

function putInputs(store: BlockStore, inputs: readonly BlockInput[]): Promise<PutBlocksEvent[]> {
  return collect(store.putBlocks(sha256, eachOf(inputs)));
}

async function* inputsOf(frames: AsyncIterable<Uint8Array>): AsyncGenerator<BlockInput, void, void> {
  for await (const bytes of frames) yield { bytes };
}

function keysOf(events: readonly PutBlocksEvent[]): Key[] {
  return events.flatMap((event) => (event.kind === "stored" ? [event.key] : []));
}

function statusesOf(events: readonly PutBlocksEvent[]): string[] {
  return events.flatMap((event) => (event.kind === "stored" ? [event.status] : []));
}
