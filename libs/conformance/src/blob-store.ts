import assert from "node:assert/strict";
import type { BlobInfo, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { formatKey, type Key } from "@graviton/ports/key";
import { attributeBytesMax, keysPerCallMax } from "@graviton/ports/limits";
import type { BlobWritePlan } from "@graviton/ports/plan";
import { blake3OfAbc, blake3OfNothing, expectBytes, freshBytes, freshKey, sha256KeyOf, utf8 } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectAttributes, expectConfirmed, expectSameInfo } from "./expect-info.ts";
import { expectReason, sourceError } from "./expect-reason.ts";
import { collect, failingAfter, held, readAll, readFirst, reusingOneBuffer, streamOf } from "./streams.ts";

const clause = clauseOf<BlobStore>;

/** Blocks of 1,000 bytes, named by the hash that a clause can compute for itself. */
const thousands = { algorithm: "sha256", chunker: { kind: "fixed", blockBytes: 1000 } } as const;

/** What every {@link BlobStore} promises. A harness that can do damage takes the keys of blocks for names. */
export const blobStoreContract: Contract<BlobStore> = {
  port: "BlobStore",
  clauses: [
    clause(
      "A blob comes back as exactly the bytes that were put, around every boundary of its blocks.",
      async (store) => {
        for (const size of [1, 999, 1000, 1001, 1999, 2000, 2001, 10_000]) {
          const bytes = freshBytes(size);
          const receipt = await put(store, bytes);
          assert.deepEqual(receipt.confirmed.key, sha256KeyOf(bytes));
          assert.equal(receipt.confirmed.blockCount, Math.ceil(size / 1000));
          expectBytes(await readAll(store.get(sha256KeyOf(bytes))), bytes);
        }
      },
    ),

    clause("Every chunker gives back the bytes that it cut.", async (store) => {
      // More lines than a page of a manifest has entries; and bytes that few cuts or many go through.
      const lines = utf8(Array.from({ length: 1500 }, (_, line) => `${line} ${freshKey().digest}\r\n`).join(""));
      const [many, few] = [freshBytes(3_000_000), freshBytes(200_000)];
      const cases: [BlobWritePlan["chunker"], Uint8Array][] = [
        [undefined, many],
        [{ kind: "fastcdc", averageBytes: 4096, normalization: 0, seed: 2n ** 64n - 1n }, few],
        [{ kind: "fixed" }, many],
        [{ kind: "delimiter", maximumBytes: 1024 }, few],
        [{ kind: "delimiter", delimiter: utf8("\r\n"), include: false }, many],
      ];
      for (const [chunker, random] of cases) {
        for (const bytes of [lines, random]) {
          const { confirmed } = await put(store, bytes, { algorithm: "sha256", chunker });
          assert.deepEqual(confirmed.key, sha256KeyOf(bytes));
          expectBytes(await readAll(store.get(confirmed.key)), bytes, `the bytes cut by ${chunker?.kind}`);
        }
      }
    }),

    clause("A blob is named by BLAKE3 unless the plan says otherwise.", async (store) => {
      const receipt = await put(store, utf8("abc"), {});
      assert.deepEqual(receipt.confirmed.key, blake3OfAbc);
      expectBytes(await readAll(store.get(blake3OfAbc)), utf8("abc"));
    }),

    clause("The empty blob is a blob like any other, without blocks.", async (store) => {
      for (const source of [streamOf<Uint8Array>(), streamOf(new Uint8Array())]) {
        const receipt = await store.put({}, source);
        assert.deepEqual(receipt.confirmed.key, blake3OfNothing);
        assert.equal(receipt.confirmed.blockCount, 0);
        assert.equal(receipt.freshBlocks + receipt.duplicateBlocks, 0);
      }
      assert.deepEqual(await collect(store.get(blake3OfNothing)), []);
      assert.deepEqual((await store.stat(blake3OfNothing)).confirmed.key, blake3OfNothing);
      assert.deepEqual(await store.findMissing([blake3OfNothing]), []);
      await expectReason("OUT_OF_RANGE", store.get(blake3OfNothing, { offset: 1 }));
    }),

    clause("Blocks do not depend on how the input was framed, the empty frames included.", async (store) => {
      const bytes = freshBytes(300_000);
      const plan: BlobWritePlan = { algorithm: "sha256", chunker: { kind: "fastcdc", averageBytes: 4096 } };
      const first = await put(store, bytes, plan);
      const frames = [0, 1, 2, 30_000, 30_000, 299_999].map((end, at, ends) => bytes.subarray(ends[at - 1] ?? 0, end));
      await store.delete(first.confirmed.key);
      const second = await store.put(plan, streamOf(...frames, bytes.subarray(299_999)));
      assert.deepEqual(second.confirmed.key, first.confirmed.key);
      assert.equal(second.confirmed.blockCount, first.confirmed.blockCount);
      assert.equal(second.freshBlocks, 0, "blocks that a different framing makes fresh");
    }),

    clause(
      "The same content again is one copy: nothing is created, no block is fresh, the first writer's words stay.",
      async (store) => {
        const bytes = freshBytes(2500);
        const first = await put(store, bytes, { ...thousands, attributes: { name: "first" } });
        const second = await put(store, bytes, { ...thousands, attributes: { name: "second" } });
        assert.equal(first.created, true);
        assert.deepEqual(tallyOf(first), { freshBlocks: 3, duplicateBlocks: 0, freshBytes: 2500 });
        assert.equal(second.created, false);
        assert.deepEqual(tallyOf(second), { freshBlocks: 0, duplicateBlocks: 3, freshBytes: 0 });
        expectSameInfo(second, first);
        expectSameInfo(await store.stat(sha256KeyOf(bytes)), first);
      },
    ),

    clause("Blobs share the blocks that they have in common.", async (store) => {
      const [a, b, c] = [freshBytes(1000), freshBytes(1000), freshBytes(1000)];
      await put(store, Buffer.concat([a, b]));
      const receipt = await put(store, Buffer.concat([b, c, a]));
      assert.deepEqual(tallyOf(receipt), { freshBlocks: 1, duplicateBlocks: 2, freshBytes: 1000 });
      expectBytes(await readAll(store.get(receipt.confirmed.key)), Buffer.concat([b, c, a]));
    }),

    clause("A block that occurs twice in a blob is fresh once.", async (store) => {
      const [a, b] = [freshBytes(1000), freshBytes(1000)];
      const receipt = await put(store, Buffer.concat([a, a, b, a]));
      assert.deepEqual(tallyOf(receipt), { freshBlocks: 2, duplicateBlocks: 2, freshBytes: 2000 });
      expectBytes(await readAll(store.get(receipt.confirmed.key)), Buffer.concat([a, a, b, a]));
    }),

    clause(
      "Of many concurrent puts of one content all succeed with one key, and exactly one created it.",
      async (store) => {
        const bytes = freshBytes(20_000);
        const receipts = await Promise.all(Array.from({ length: 16 }, () => put(store, bytes)));
        for (const { confirmed } of receipts) assert.deepEqual(confirmed.key, sha256KeyOf(bytes));
        assert.equal(receipts.filter(({ created }) => created).length, 1, "puts that created it");
        expectBytes(await readAll(store.get(sha256KeyOf(bytes))), bytes);
      },
    ),

    clause("What is known of a blob is what its writer said and what the store found out.", async (store) => {
      const bytes = freshBytes(2500);
      const custom = { a: "b", empty: "", constructor: "c", ключ: "значение 😀" };
      const attributes = { contentType: "text/plain; charset=utf-8", name: "a name.txt", custom };
      const receipt = await put(store, bytes, { ...thousands, attributes });
      const info = await store.stat(sha256KeyOf(bytes));
      expectAttributes(info.advertised, attributes);
      expectConfirmed(info, sha256KeyOf(bytes), 3);
      expectSameInfo(receipt, info);
    }),

    clause("What a writer leaves unsaid stays unsaid.", async (store) => {
      const { confirmed } = await put(store, freshBytes(10));
      expectAttributes((await store.stat(confirmed.key)).advertised, {});
    }),

    clause(
      "A range reads the first bytes, the last, the whole, across blocks, and stops at the end.",
      async (store) => {
        const bytes = freshBytes(5500);
        const { confirmed } = await put(store, bytes);
        const ranges = [
          [0, 1],
          [0, 1000],
          [0, 1001],
          [999, 2],
          [1000, 1000],
          [500, 4000],
          [5499, 1],
          [5400, 500],
          [0, 5500],
          [5500, 1],
          [2000, 0],
          [0, 0],
        ];
        for (const [offset = 0, length = 0] of ranges) {
          const read = await readAll(store.get(confirmed.key, { offset, length }));
          expectBytes(read, bytes.subarray(offset, offset + length), `${length} bytes from ${offset}`);
        }
        expectBytes(await readAll(store.get(confirmed.key, { offset: 1234 })), bytes.subarray(1234), "the rest");
      },
    ),

    clause(
      "A range that begins beyond the end is OUT_OF_RANGE; one that is malformed INVALID_ARGUMENT.",
      async (store) => {
        const { confirmed } = await put(store, freshBytes(1000));
        await expectReason("OUT_OF_RANGE", store.get(confirmed.key, { offset: 1001 }));
        await expectReason("INVALID_ARGUMENT", store.get(confirmed.key, { offset: -1 }));
        await expectReason("INVALID_ARGUMENT", store.get(confirmed.key, { offset: 0.5 }));
        await expectReason("INVALID_ARGUMENT", store.get(confirmed.key, { offset: 0, length: -1 }));
      },
    ),

    clause("A reader gets frames of at least one byte.", async (store) => {
      const { confirmed } = await put(store, freshBytes(5000));
      for (const range of [
        { offset: 0 },
        { offset: 1000, length: 2000 },
        { offset: 5000 },
        { offset: 1500, length: 0 },
      ]) {
        for await (const frame of store.get(confirmed.key, range)) assert.ok(frame.length > 0);
      }
    }),

    clause("A blob that is not stored is NOT_FOUND and named, before the first byte.", async (store) => {
      const { confirmed } = await put(store, freshBytes(1000));
      for (const key of [freshKey(), freshKey(0), { ...confirmed.key, size: 1001 }]) {
        assert.equal((await expectReason("NOT_FOUND", store.get(key), "get")).resource, formatKey(key));
        assert.equal((await expectReason("NOT_FOUND", store.stat(key), "stat")).resource, formatKey(key));
      }
    }),

    clause("A malformed key is refused with INVALID_ARGUMENT.", async (store) => {
      const wrong = { ...freshKey(), digest: "abc" };
      await expectReason("INVALID_ARGUMENT", store.get(wrong), "get");
      await expectReason("INVALID_ARGUMENT", store.stat(wrong), "stat");
      await expectReason("INVALID_ARGUMENT", store.delete(wrong), "delete");
      await expectReason("INVALID_ARGUMENT", store.findMissing([wrong]), "findMissing");
      await expectReason("INVALID_ARGUMENT", put(store, freshBytes(10), { expected: wrong }), "put");
    }),

    clause("A plan out of bounds is refused with INVALID_ARGUMENT before a byte is read.", async (store) => {
      const plans = [
        { chunker: { kind: "fixed", blockBytes: 0 } },
        { chunker: { kind: "fixed", blockBytes: 2 ** 24 + 1 } },
        { chunker: { kind: "fastcdc", averageBytes: 1023 } },
        { chunker: { kind: "fastcdc", minimumBytes: 2 ** 20 } },
        { chunker: { kind: "fastcdc", normalization: 4 } },
        { chunker: { kind: "delimiter", delimiter: new Uint8Array(1025) } },
        { chunker: { kind: "delimiter", maximumBytes: 1 } },
        { chunker: { kind: "scissors" } },
        { algorithm: "md5" },
        { algorithm: "blake3", expected: freshKey() },
        { duplicates: "perhaps" },
        { attributes: { name: "a\0b" } },
      ] as unknown as BlobWritePlan[];
      for (const plan of plans) {
        const source = watched();
        await expectReason("INVALID_ARGUMENT", store.put(plan, source.stream), `chunker ${plan.chunker?.kind}`);
        assert.equal(source.read, false, "bytes were read for a plan that is refused");
      }
    }),

    clause("Attributes over their limit are TOO_LARGE before a byte is read.", async (store) => {
      const source = watched();
      const attributes = { name: "x".repeat(attributeBytesMax + 1) };
      await expectReason("TOO_LARGE", store.put({ attributes }, source.stream));
      assert.equal(source.read, false, "bytes were read for a plan that is refused");
    }),

    clause("Bytes that are those of the expected key are stored.", async (store) => {
      const bytes = freshBytes(2500);
      const receipt = await put(store, bytes, { chunker: thousands.chunker, expected: sha256KeyOf(bytes) });
      assert.deepEqual(receipt.confirmed.key, sha256KeyOf(bytes));
    }),

    clause(
      "Bytes that are not those of the expected key are HASH_MISMATCH, and nothing becomes visible.",
      async (store) => {
        const bytes = freshBytes(2500);
        const key = sha256KeyOf(bytes);
        for (const expected of [freshKey(2500), { ...key, size: 2499 }, { ...key, size: 2501 }, freshKey(0)]) {
          const error = await expectReason("HASH_MISMATCH", put(store, bytes, { ...thousands, expected }));
          assert.equal(error.resource, formatKey(expected));
          assert.deepEqual(await store.findMissing([expected, key]), [expected, key]);
          await expectReason("NOT_FOUND", store.stat(key));
        }
      },
    ),

    clause("A source that fails ends the put with its error, and no blob becomes visible.", async (store) => {
      const bytes = freshBytes(5000);
      await expectReason(sourceError.reason, store.put(thousands, failingAfter(sourceError, bytes)));
      await expectReason(sourceError.reason, store.put(thousands, failingAfter<Uint8Array>(sourceError)));
      await expectInvisible(store, sha256KeyOf(bytes));
    }),

    clause(
      "A put that is aborted while its source is silent ends with CANCELLED, and no blob becomes visible.",
      async (store) => {
        const bytes = freshBytes(5000);
        using source = held([bytes], []);
        const abort = new AbortController();
        const putting = store.put(thousands, source.stream, { signal: abort.signal });
        await source.waiting;
        abort.abort();
        await expectReason("CANCELLED", putting);
        await expectInvisible(store, sha256KeyOf(bytes));
      },
    ),

    clause(
      "An upload that broke off leaves no blob of what had arrived either.",
      async (store) => {
        const bytes = freshBytes(5000);
        await expectReason(sourceError.reason, store.put(thousands, failingAfter(sourceError, bytes)));
        using source = held([bytes], []);
        const abort = new AbortController();
        const putting = store.put(thousands, source.stream, { signal: abort.signal });
        await source.waiting;
        abort.abort();
        await expectReason("CANCELLED", putting);
        await put(store, freshBytes(10));
        assert.equal((await collect(store.list())).length, 1, "blobs that are listed");
      },
      "isolation",
    ),

    clause("An upload that broke off can be tried again.", async (store) => {
      const bytes = freshBytes(5000);
      await expectReason(sourceError.reason, store.put(thousands, failingAfter(sourceError, bytes.subarray(0, 3500))));
      const receipt = await put(store, bytes);
      assert.equal(receipt.created, true);
      expectBytes(await readAll(store.get(sha256KeyOf(bytes))), bytes);
    }),

    clause("Nothing of a blob is visible until the put has answered.", async (store) => {
      const bytes = freshBytes(5000);
      using source = held([bytes.subarray(0, 4500)], [bytes.subarray(4500)]);
      const putting = store.put(thousands, source.stream);
      await source.waiting;
      await expectInvisible(store, sha256KeyOf(bytes));
      await expectInvisible(store, sha256KeyOf(bytes.subarray(0, 4500)));
      source.release();
      await putting;
      expectBytes(await readAll(store.get(sha256KeyOf(bytes))), bytes);
    }),

    clause("A caller that reuses its buffer cannot change what is stored.", async (store) => {
      const frames = [freshBytes(1000), freshBytes(1000), freshBytes(1000)];
      const receipt = await store.put(thousands, reusingOneBuffer(...frames));
      assert.deepEqual(receipt.confirmed.key, sha256KeyOf(Buffer.concat(frames)));
      expectBytes(await readAll(store.get(receipt.confirmed.key)), Buffer.concat(frames));
    }),

    clause("Changing the bytes that a read returned cannot change what is stored.", async (store) => {
      const bytes = freshBytes(2500);
      const { confirmed } = await put(store, bytes);
      for await (const frame of store.get(confirmed.key)) frame.fill(0);
      expectBytes(await readAll(store.get(confirmed.key)), bytes);
    }),

    clause("A reader may stop early, and what the read held is freed.", async (store) => {
      const bytes = freshBytes(3_000_000);
      const { confirmed } = await put(store, bytes, {
        algorithm: "sha256",
        chunker: { kind: "fixed", blockBytes: 300_000 },
      });
      for (let round = 0; round < 50; round += 1) {
        assert.equal((await readFirst(store.get(confirmed.key)))?.[0], bytes[0]);
      }
      expectBytes(await readAll(store.get(confirmed.key)), bytes);
    }),

    clause(
      "Deleting forgets just the blob named, is idempotent, and keeps the blocks that others use.",
      async (store) => {
        const [a, b, c] = [freshBytes(1000), freshBytes(1000), freshBytes(1000)];
        const first = await put(store, Buffer.concat([a, b]));
        const second = await put(store, Buffer.concat([b, c]));
        await store.delete(first.confirmed.key);
        await store.delete(first.confirmed.key);
        await store.delete(freshKey());
        await expectInvisible(store, first.confirmed.key);
        expectBytes(await readAll(store.get(second.confirmed.key)), Buffer.concat([b, c]));
      },
    ),

    clause("A blob that was deleted may be put again, with other words.", async (store) => {
      const bytes = freshBytes(2500);
      const first = await put(store, bytes, { ...thousands, attributes: { name: "first" } });
      await store.delete(first.confirmed.key);
      const second = await put(store, bytes, { ...thousands, attributes: { name: "second" } });
      assert.equal(second.created, true);
      assert.equal((await store.stat(second.confirmed.key)).advertised.name, "second");
      expectBytes(await readAll(store.get(second.confirmed.key)), bytes);
    }),

    clause(
      "A list gives every blob in the byte order of the keys, whole and in pages.",
      async (store) => {
        assert.deepEqual(await collect(store.list()), []);
        const infos: BlobInfo[] = [await put(store, new Uint8Array(), {}), await put(store, utf8("abc"), {})];
        for (let size = 1; size <= 10; size += 1) infos.push(await put(store, freshBytes(size)));
        const texts = infos.map(textOf).sort();
        const listed = await collect(store.list());
        assert.deepEqual(listed.map(textOf), texts);
        for (const info of listed) expectSameInfo(info, await store.stat(info.confirmed.key));
        const paged: string[] = [];
        for (let page = await collect(store.list({ limit: 5 })); page.length > 0; ) {
          assert.ok(page.length <= 5, "a page is at most the limit");
          paged.push(...page.map(textOf));
          page = await collect(store.list({ limit: 5, after: paged.at(-1) }));
        }
        assert.deepEqual(paged, texts);
      },
      "isolation",
    ),

    clause("A limit that is not a whole number of 1 or more is refused with INVALID_ARGUMENT.", async (store) => {
      for (const limit of [0, -1, 1.5]) await expectReason("INVALID_ARGUMENT", store.list({ limit }), `limit ${limit}`);
    }),

    clause("The blobs that are missing are found, in the order asked, among 14,000 keys at once.", async (store) => {
      const stored = [await put(store, freshBytes(10)), await put(store, freshBytes(2500))];
      const keys = Array.from({ length: 14_000 }, (_, index) => stored[index / 7000]?.confirmed.key ?? freshKey());
      const missing = keys.filter((_, index) => index % 7000 !== 0);
      assert.deepEqual((await store.findMissing(keys)).map(formatKey), missing.map(formatKey));
      assert.deepEqual(await store.findMissing([]), []);
    }),

    clause("More keys in one call than the limit are refused with TOO_LARGE.", async (store) => {
      const keys = Array.from({ length: keysPerCallMax + 1 }, () => freshKey());
      await expectReason("TOO_LARGE", store.findMissing(keys));
    }),

    {
      says: "What was put is there after reopening.",
      needs: "durable",
      async check(harness) {
        const bytes = freshBytes(100_000);
        const receipt = await (async () => {
          await using store = await harness.open();
          return await put(store, bytes, { ...thousands, attributes: { name: "kept" } });
        })();
        await using store = await harness.open();
        expectSameInfo(await store.stat(sha256KeyOf(bytes)), receipt);
        expectBytes(await readAll(store.get(sha256KeyOf(bytes))), bytes);
      },
    },

    clause(
      "A blob of which a block's stored bits flipped is CORRUPT and names the block, before a wrong byte leaves.",
      (store, harness) => expectDamageFound(store, (name) => harness.damage(name, "flipped")),
      "damage",
    ),

    clause(
      "A blob of which a block is missing is CORRUPT and names the block, not a short read.",
      (store, harness) => expectDamageFound(store, (name) => harness.damage(name, "lost")),
      "damage",
    ),

    clause(
      "A put that rewrites duplicates heals a blob that was damaged.",
      async (store, harness) => {
        const bytes = freshBytes(2500);
        const { confirmed } = await put(store, bytes);
        await harness.damage(formatKey(sha256KeyOf(bytes.subarray(0, 1000))), "flipped");
        await harness.damage(formatKey(sha256KeyOf(bytes.subarray(1000, 2000))), "lost");
        await put(store, bytes, { ...thousands, duplicates: "rewrite" });
        expectBytes(await readAll(store.get(confirmed.key)), bytes);
      },
      "damage",
    ),

    {
      says: "Dispose waits for the blob in flight.",
      async check(harness) {
        const store = await harness.open();
        const bytes = freshBytes(5000);
        const other = await put(store, freshBytes(10));
        using source = held([bytes.subarray(0, 4500)], [bytes.subarray(4500)]);
        const putting = store.put(thousands, source.stream);
        await source.waiting;
        const { key } = other.confirmed;
        const calls = [putting, store.stat(key), store.findMissing([key]), store.delete(freshKey())];
        await expectDisposeWaits(store, calls, source.release);
        await using again = await harness.open();
        expectBytes(await readAll(again.get(sha256KeyOf(bytes))), bytes);
      },
    },

    clause("Dispose ends a read that nobody pulls from, which then refuses to go on.", async (store) => {
      const plan: BlobWritePlan = { algorithm: "sha256", chunker: { kind: "fixed", blockBytes: 1024 * 1024 } };
      const { confirmed } = await put(store, freshBytes(12 * 1024 * 1024), plan);
      const reading = store.get(confirmed.key)[Symbol.asyncIterator]();
      await reading.next();
      await store[Symbol.asyncDispose]();
      await expectReason("UNAVAILABLE", reading.next());
    }),

    ...everyMethod<BlobStore>(async (store) => {
      const { confirmed } = await put(store, freshBytes(10));
      const { key } = confirmed;
      return {
        put: (options) => store.put(thousands, streamOf(freshBytes(10)), options),
        get: (options) => store.get(key, undefined, options),
        stat: (options) => store.stat(key, options),
        delete: (options) => store.delete(freshKey(), options),
        list: (options) => store.list({ ...options, limit: 1 }),
        findMissing: (options) => store.findMissing([key], options),
      };
    }),
  ],
};

function put(store: BlobStore, bytes: Uint8Array, plan: BlobWritePlan = thousands): Promise<BlobReceipt> {
  return store.put(plan, streamOf(bytes));
}

/** A source that remembers whether somebody read from it. */
function watched(): { stream: AsyncIterable<Uint8Array>; readonly read: boolean } {
  const watch = { read: false, stream: source() };
  async function* source() {
    watch.read = true;
    yield freshBytes(10);
  }
  return watch;
}

async function expectInvisible(store: BlobStore, key: Key): Promise<void> {
  await expectReason("NOT_FOUND", store.stat(key), "stat");
  await expectReason("NOT_FOUND", store.get(key), "get");
  assert.deepEqual(await store.findMissing([key]), [key]);
}

/** Damages the third of five blocks, and asserts that what is read up to there is right and that nothing follows. */
async function expectDamageFound(store: BlobStore, damage: (name: string) => Promise<void>): Promise<void> {
  const bytes = freshBytes(4500);
  const { confirmed } = await put(store, bytes);
  const block = formatKey(sha256KeyOf(bytes.subarray(2000, 3000)));
  await damage(block);
  const frames: Uint8Array[] = [];
  const reading = async () => {
    for await (const frame of store.get(confirmed.key)) frames.push(frame);
  };
  const error = await expectReason("CORRUPT", reading());
  assert.equal(error.resource, block);
  const read = Buffer.concat(frames);
  assert.ok(read.length <= 2000, "no byte of the damaged block or beyond it leaves");
  expectBytes(read, bytes.subarray(0, read.length), "the bytes before the damaged block");
  await expectReason("CORRUPT", store.get(confirmed.key, { offset: 2500, length: 1 }), "a range of the damaged block");
  expectBytes(await readAll(store.get(confirmed.key, { offset: 3000 })), bytes.subarray(3000), "the blocks after it");
}

function tallyOf({ freshBlocks, duplicateBlocks, freshBytes }: BlobReceipt) {
  return { freshBlocks, duplicateBlocks, freshBytes };
}

function textOf(info: BlobInfo): string {
  return formatKey(info.confirmed.key);
}
