import assert from "node:assert/strict";
import type { KeyValueOperation, KeyValueRange, KeyValueStore } from "@graviton/ports/key-value-store";
import {
  keyValueBatchBytesMax,
  keyValueBatchOperationsMax,
  keyValueKeyBytesMax,
  keyValueValueBytesMax,
} from "@graviton/ports/limits";
import { hasReason } from "@graviton/ports/storage-error";
import { expectBytes, freshBytes, freshName, inByteOrder, utf8 } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectReason } from "./expect-reason.ts";
import { collect, reusingOneBuffer } from "./streams.ts";

const clause = clauseOf<KeyValueStore>;

/** What every {@link KeyValueStore} promises. */
export const keyValueStoreContract: Contract<KeyValueStore> = {
  port: "KeyValueStore",
  clauses: [
    clause("A value comes back as exactly the bytes that were put.", async (store) => {
      const key = freshName();
      const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      await store.put(key, everyByte);
      expectBytes(await store.get(key), everyByte);
    }),

    clause("A key that nobody put is undefined.", async (store) => {
      assert.equal(await store.get(freshName()), undefined);
    }),

    clause("An empty value is not absent.", async (store) => {
      const key = freshName();
      await store.put(key, new Uint8Array());
      expectBytes(await store.get(key), new Uint8Array());
      assert.equal((await collect(store.scan({ prefix: key }))).length, 1);
    }),

    clause("A put replaces the value that was there.", async (store) => {
      const key = freshName();
      await store.put(key, freshBytes(100));
      await store.put(key, utf8("new"));
      expectBytes(await store.get(key), utf8("new"));
    }),

    clause(
      "A value of exactly the limit is stored, and one byte more is TOO_LARGE and changes nothing.",
      async (store) => {
        const key = freshName();
        const value = freshBytes(keyValueValueBytesMax);
        await store.put(key, value);
        const over = freshBytes(keyValueValueBytesMax + 1);
        await expectReason("TOO_LARGE", store.put(key, over), "put");
        await expectReason("TOO_LARGE", store.compareAndSwap(key, value, over), "compareAndSwap");
        expectBytes(await store.get(key), value);
      },
    ),

    clause("Any well-formed string may be a key, and each is a key of its own.", async (store) => {
      const root = freshName();
      const keys = unusualNames.map((name) => root + name);
      for (const [index, key] of keys.entries()) await store.put(key, utf8(String(index)));
      for (const [index, key] of keys.entries()) {
        expectBytes(await store.get(key), utf8(String(index)), JSON.stringify(key));
      }
      const scanned = await collect(store.scan({ prefix: root }));
      assert.deepEqual(
        scanned.map(({ key }) => key),
        inByteOrder(keys),
      );
    }),

    clause(
      "The empty string may be a key; it is the first of all.",
      async (store) => {
        await store.put("", utf8("empty"));
        await store.put("\0", utf8("zero"));
        expectBytes(await store.get(""), utf8("empty"));
        assert.deepEqual(await keysOf(store, {}), ["", "\0"]);
        assert.deepEqual(await keysOf(store, { after: "" }), ["\0"]);
        assert.deepEqual(await keysOf(store, { from: "", before: "\0" }), [""]);
        assert.deepEqual(await keysOf(store, { before: "" }), []);
        await store.delete("");
        assert.equal(await store.get(""), undefined);
      },
      "isolation",
    ),

    clause("A key of exactly the limit is stored, and one byte more is TOO_LARGE.", async (store) => {
      const key = freshName().padEnd(keyValueKeyBytesMax, "x");
      await store.put(key, utf8("long"));
      expectBytes(await store.get(key), utf8("long"));
      const wide = freshName().padEnd(keyValueKeyBytesMax - 1, "x");
      for (const over of [`${key}x`, `${wide}é`]) {
        await expectReason("TOO_LARGE", store.put(over, utf8("too long")), "put");
        await expectReason("TOO_LARGE", store.get(over), "get");
      }
    }),

    clause("A key that is not well-formed Unicode is refused with INVALID_ARGUMENT.", async (store) => {
      const key = `${freshName()}\ud800`;
      await expectReason("INVALID_ARGUMENT", store.get(key), "get");
      await expectReason("INVALID_ARGUMENT", store.put(key, utf8("x")), "put");
      await expectReason("INVALID_ARGUMENT", store.delete(key), "delete");
      await expectReason("INVALID_ARGUMENT", store.batch([{ kind: "delete", key }]), "batch");
      await expectReason("INVALID_ARGUMENT", store.compareAndSwap(key, undefined, utf8("x")), "compareAndSwap");
      await expectReason("INVALID_ARGUMENT", store.scan({ prefix: key }), "scan");
    }),

    clause("A caller that reuses its buffer cannot change what is stored.", async (store) => {
      const root = freshName();
      const values = [freshBytes(100), freshBytes(100), freshBytes(100)];
      let index = 0;
      for await (const buffer of reusingOneBuffer(...values)) {
        await store.put(`${root}/put/${index}`, buffer);
        await store.batch([{ kind: "put", key: `${root}/batch/${index}`, value: buffer }]);
        await store.compareAndSwap(`${root}/swap/${index}`, undefined, buffer);
        index += 1;
      }
      for (const [at, value] of values.entries()) {
        expectBytes(await store.get(`${root}/put/${at}`), value, "a value put");
        expectBytes(await store.get(`${root}/batch/${at}`), value, "a value of a batch");
        expectBytes(await store.get(`${root}/swap/${at}`), value, "a value swapped in");
      }
    }),

    clause("Changing the bytes that a read returned cannot change what is stored.", async (store) => {
      const key = freshName();
      const value = freshBytes(100);
      await store.put(key, value);
      (await store.get(key))?.fill(0);
      for await (const pair of store.scan({ prefix: key })) pair.value.fill(0);
      expectBytes(await store.get(key), value);
    }),

    clause("Deleting removes just the key named, and is idempotent.", async (store) => {
      const key = freshName();
      await store.put(key, utf8("a"));
      await store.put(`${key}/b`, utf8("b"));
      await store.delete(key);
      await store.delete(key);
      await store.delete(freshName());
      assert.equal(await store.get(key), undefined);
      expectBytes(await store.get(`${key}/b`), utf8("b"));
    }),

    clause("Compare-and-swap replaces the value that is expected: absent, empty or any other.", async (store) => {
      const key = freshName();
      await store.compareAndSwap(key, undefined, new Uint8Array());
      expectBytes(await store.get(key), new Uint8Array());
      await store.compareAndSwap(key, new Uint8Array(), utf8("one"));
      await store.compareAndSwap(key, utf8("one"), utf8("two"));
      expectBytes(await store.get(key), utf8("two"));
      await store.compareAndSwap(key, utf8("two"), undefined);
      assert.equal(await store.get(key), undefined);
      await store.compareAndSwap(key, undefined, undefined);
      assert.equal(await store.get(key), undefined);
    }),

    clause("Compare-and-swap that meets another value is CONFLICT and changes nothing.", async (store) => {
      const key = freshName();
      await store.put(key, utf8("mine"));
      for (const expected of [utf8("yours"), utf8("min"), utf8("mine!"), new Uint8Array(), undefined]) {
        const error = await expectReason("CONFLICT", store.compareAndSwap(key, expected, utf8("next")));
        assert.equal(error.resource, key);
      }
      await expectReason("CONFLICT", store.compareAndSwap(key, utf8("yours"), undefined), "a swap that deletes");
      expectBytes(await store.get(key), utf8("mine"));
    }),

    clause(
      "Compare-and-swap that expects a value where there is none is CONFLICT, also for the empty value.",
      async (store) => {
        const key = freshName();
        await expectReason("CONFLICT", store.compareAndSwap(key, utf8("mine"), utf8("next")));
        await expectReason("CONFLICT", store.compareAndSwap(key, new Uint8Array(), utf8("next")));
        assert.equal(await store.get(key), undefined);
      },
    ),

    clause("Of many concurrent swaps that expect the same value exactly one wins.", async (store) => {
      const key = freshName();
      const names = Array.from({ length: 32 }, (_, index) => `writer ${index}`);
      const swaps = names.map((name) => wins(store.compareAndSwap(key, undefined, utf8(name))));
      const outcomes = await Promise.all(swaps);
      const winners = names.filter((_, index) => outcomes[index]);
      assert.equal(winners.length, 1, "swaps that won");
      expectBytes(await store.get(key), utf8(winners.join()));
    }),

    clause("A batch applies all its operations in order; the last one on a key counts.", async (store) => {
      const root = freshName();
      await store.put(`${root}/gone`, utf8("old"));
      await store.batch([
        { kind: "put", key: `${root}/a`, value: utf8("first") },
        { kind: "put", key: `${root}/b`, value: utf8("b") },
        { kind: "put", key: `${root}/a`, value: utf8("last") },
        { kind: "delete", key: `${root}/gone` },
        { kind: "delete", key: `${root}/b` },
        { kind: "delete", key: `${root}/c` },
        { kind: "put", key: `${root}/c`, value: new Uint8Array() },
      ]);
      assert.deepEqual(await keysOf(store, { prefix: root }), [`${root}/a`, `${root}/c`]);
      expectBytes(await store.get(`${root}/a`), utf8("last"));
      await store.batch([]);
    }),

    clause("A batch with an operation that is refused applies none.", async (store) => {
      const root = freshName();
      await store.put(`${root}/kept`, utf8("kept"));
      const good: KeyValueOperation[] = [
        { kind: "put", key: `${root}/a`, value: utf8("a") },
        { kind: "delete", key: `${root}/kept` },
      ];
      const malformed: KeyValueOperation = { kind: "put", key: "\ud800", value: utf8("x") };
      const large: KeyValueOperation = { kind: "put", key: `${root}/b`, value: freshBytes(keyValueValueBytesMax + 1) };
      await expectReason("INVALID_ARGUMENT", store.batch([...good, malformed]));
      await expectReason("TOO_LARGE", store.batch([...good, large]));
      assert.deepEqual(await keysOf(store, { prefix: root }), [`${root}/kept`]);
    }),

    clause("A reader sees all of a batch or nothing of it.", async (store) => {
      const root = freshName();
      const keys = Array.from({ length: 50 }, (_, index) => `${root}/${String(index).padStart(2, "0")}`);
      const write = async (version: number) => {
        await store.batch(keys.map((key) => ({ kind: "put", key, value: utf8(String(version)) })));
      };
      const writeOn = async () => {
        for (let version = 1; version <= 20; version += 1) await write(version);
      };
      const readOn = async () => {
        for (let round = 0; round < 20; round += 1) {
          const pairs = await collect(store.scan({ prefix: root }));
          const versions = new Set(pairs.map(({ value }) => Buffer.from(value).toString()));
          assert.equal(pairs.length, keys.length);
          assert.equal(versions.size, 1, `one version in one scan, not ${[...versions]}`);
        }
      };
      await write(0);
      await Promise.all([writeOn(), readOn()]);
    }),

    clause("A batch of exactly the limit is applied; one over it is TOO_LARGE and applies nothing.", async (store) => {
      const root = freshName();
      const puts = (count: number): KeyValueOperation[] => {
        return Array.from({ length: count }, (_, index) => ({
          kind: "put",
          key: `${root}/${index}`,
          value: utf8("x"),
        }));
      };
      await expectReason("TOO_LARGE", store.batch(puts(keyValueBatchOperationsMax + 1)));
      assert.deepEqual(await keysOf(store, { prefix: root }), []);
      await store.batch(puts(keyValueBatchOperationsMax));
      assert.equal((await keysOf(store, { prefix: root })).length, keyValueBatchOperationsMax);
    }),

    clause("A batch of more bytes than the limit is TOO_LARGE and applies nothing.", async (store) => {
      const root = freshName();
      const value = freshBytes(keyValueBatchBytesMax / 4);
      const puts = Array.from({ length: 4 }, (_, index) => ({ kind: "put" as const, key: `${root}/${index}`, value }));
      await expectReason("TOO_LARGE", store.batch(puts));
      assert.deepEqual(await keysOf(store, { prefix: root }), []);
      await store.batch(puts.slice(1));
      assert.equal((await keysOf(store, { prefix: root })).length, 3);
    }),

    clause("A scan gives just the pairs with the prefix, in the byte order of their keys.", async (store) => {
      const root = freshName();
      const inside = ["/", "/a", "/a\0", "/ab", "/b", "/é", "/\uff61", "/😀", "/\u{10ffff}"].map((name) => root + name);
      for (const key of [...inside, root, `${root}.`, `${root}0`]) await store.put(key, utf8(key));
      const pairs = await collect(store.scan({ prefix: `${root}/` }));
      assert.deepEqual(
        pairs.map(({ key }) => key),
        inByteOrder(inside),
      );
      for (const { key, value } of pairs) expectBytes(value, utf8(key), `the value of ${key}`);
    }),

    clause("A prefix may end in the last character of Unicode.", async (store) => {
      const prefix = `${freshName()}\u{10ffff}`;
      await store.batch(
        [prefix, `${prefix}a`, `${prefix}\u{10ffff}`].map((key) => ({ kind: "put", key, value: utf8("x") })),
      );
      assert.deepEqual(await keysOf(store, { prefix }), [prefix, `${prefix}a`, `${prefix}\u{10ffff}`]);
    }),

    clause(
      "A scan keeps to its bounds: from includes, after and before exclude, and all of them hold.",
      async (store) => {
        const prefix = `${freshName()}/`;
        const names = ["a", "b", "c", "d", "e"];
        for (const name of names) await store.put(prefix + name, utf8(name));
        const scan = async (bounds: KeyValueRange) => {
          const absolute = Object.entries(bounds).map(([name, bound]) => [name, prefix + bound]);
          return (await keysOf(store, { prefix, ...Object.fromEntries(absolute) }))
            .map((key) => key.slice(prefix.length))
            .join("");
        };
        assert.equal(await scan({ from: "b" }), "bcde");
        assert.equal(await scan({ after: "b" }), "cde");
        assert.equal(await scan({ before: "d" }), "abc");
        assert.equal(await scan({ from: "b", before: "d" }), "bc");
        assert.equal(await scan({ from: "c", after: "a" }), "cde");
        assert.equal(await scan({ from: "a", after: "c" }), "de");
        assert.equal(await scan({ after: "bb", before: "dd" }), "cd");
        assert.equal(await scan({ from: "d", before: "b" }), "");
        assert.equal(await scan({ after: "e" }), "");
        assert.equal(await scan({ before: "a" }), "");
      },
    ),

    clause("Bounds outside the prefix do not widen a scan.", async (store) => {
      const root = freshName();
      for (const key of [`${root}/a/1`, `${root}/b/1`, `${root}/c/1`]) await store.put(key, utf8(key));
      assert.deepEqual(await keysOf(store, { prefix: `${root}/b/`, from: `${root}/a`, before: `${root}/d` }), [
        `${root}/b/1`,
      ]);
      assert.deepEqual(await keysOf(store, { prefix: `${root}/b/`, after: `${root}/c` }), []);
    }),

    clause("A scan stops at its limit, and its last key is the cursor of the next page.", async (store) => {
      const prefix = `${freshName()}/`;
      const keys = Array.from({ length: 25 }, (_, index) => prefix + String(index).padStart(3, "0"));
      await store.batch(keys.map((key) => ({ kind: "put", key, value: utf8(key) })));
      const paged: string[] = [];
      for (let page = await keysOf(store, { prefix, limit: 10 }); page.length > 0; ) {
        assert.ok(page.length <= 10, "a page is at most the limit");
        paged.push(...page);
        page = await keysOf(store, { prefix, limit: 10, after: page.at(-1) });
      }
      assert.deepEqual(paged, keys);
    }),

    clause("A limit that is not a whole number of 1 or more is refused with INVALID_ARGUMENT.", async (store) => {
      for (const limit of [0, -1, 1.5, Number.NaN]) {
        await expectReason("INVALID_ARGUMENT", store.scan({ limit }), `limit ${limit}`);
      }
    }),

    clause("A scan shows the pairs as they all were when it began, whatever is written meanwhile.", async (store) => {
      const prefix = `${freshName()}/`;
      const keys = Array.from({ length: 300 }, (_, index) => prefix + String(index).padStart(3, "0"));
      const old = freshBytes(16 * 1024);
      for (let at = 0; at < keys.length; at += 100) {
        await store.batch(keys.slice(at, at + 100).map((key) => ({ kind: "put", key, value: old })));
      }
      const scan = store.scan({ prefix })[Symbol.asyncIterator]();
      const pairs = [(await scan.next()).value];
      await store.put(`${prefix}150/new`, utf8("new"));
      await store.batch(keys.slice(100, 200).map((key) => ({ kind: "put", key, value: utf8("new") })));
      await store.batch(keys.slice(200).map((key) => ({ kind: "delete", key })));
      for (let step = await scan.next(); !step.done; step = await scan.next()) pairs.push(step.value);
      assert.deepEqual(
        pairs.map((pair) => pair?.key),
        keys,
      );
      for (const pair of pairs) expectBytes(pair?.value, old, `the value of ${pair?.key}`);
    }),

    clause("A reader of a scan may stop early, and what the scan held is freed.", async (store) => {
      const prefix = `${freshName()}/`;
      const keys = Array.from({ length: 100 }, (_, index) => prefix + String(index).padStart(3, "0"));
      await store.batch(keys.map((key) => ({ kind: "put", key, value: freshBytes(10_000) })));
      for (let round = 0; round < 50; round += 1) {
        for await (const { key } of store.scan({ prefix })) {
          assert.equal(key, keys[0]);
          break;
        }
      }
      assert.deepEqual(await keysOf(store, { prefix }), keys);
    }),

    clause("Many concurrent puts of different keys all succeed.", async (store) => {
      const root = freshName();
      const keys = Array.from({ length: 100 }, (_, index) => `${root}/${index}`);
      await Promise.all(keys.map((key) => store.put(key, utf8(key))));
      for (const key of keys) expectBytes(await store.get(key), utf8(key));
    }),

    clause("Of many concurrent puts of one key the value is one of theirs.", async (store) => {
      const key = freshName();
      const values = Array.from({ length: 32 }, () => freshBytes(10_000));
      await Promise.all(values.map((value) => store.put(key, value)));
      const stored = Buffer.from((await store.get(key)) ?? []);
      assert.ok(
        values.some((value) => stored.equals(value)),
        "the value is none of those that were put",
      );
    }),

    {
      says: "What was written is there after reopening.",
      needs: "durable",
      async check(harness) {
        const root = freshName();
        {
          await using store = await harness.open();
          await store.put(`${root}/put`, utf8("put"));
          await store.put(`${root}/gone`, utf8("gone"));
          await store.delete(`${root}/gone`);
          await store.batch([{ kind: "put", key: `${root}/batch`, value: utf8("batch") }]);
          await store.compareAndSwap(`${root}/swap`, undefined, utf8("swap"));
        }
        await using store = await harness.open();
        const pairs = await collect(store.scan({ prefix: root }));
        assert.deepEqual(
          pairs.map(({ value }) => Buffer.from(value).toString()),
          ["batch", "put", "swap"],
        );
      },
    },

    clause(
      "A value whose stored bits flipped reads as CORRUPT, never as data.",
      async (store, harness) => {
        const key = freshName();
        await store.put(key, freshBytes(1000));
        await harness.damage(key);
        await expectReason("CORRUPT", store.get(key), "get");
        await expectReason("CORRUPT", store.scan({ prefix: key }), "scan");
      },
      "damage",
    ),

    {
      says: "Dispose waits for the writes in flight.",
      async check(harness) {
        const root = freshName();
        const store = await harness.open();
        const writes = Array.from({ length: 20 }, (_, index) => [
          store.put(`${root}/put/${index}`, utf8("put")),
          store.batch([{ kind: "put", key: `${root}/batch/${index}`, value: utf8("batch") }]),
          store.compareAndSwap(`${root}/swap/${index}`, undefined, utf8("swap")),
        ]);
        await expectDisposeWaits(store, writes.flat());
        await using again = await harness.open();
        assert.equal((await keysOf(again, { prefix: root })).length, 60);
      },
    },

    clause("Dispose ends a scan that nobody pulls from, which then refuses to go on.", async (store) => {
      const prefix = freshName();
      await store.batch([1, 2, 3].map((name) => ({ kind: "put", key: `${prefix}/${name}`, value: utf8("x") })));
      const pairs = store.scan({ prefix })[Symbol.asyncIterator]();
      await pairs.next();
      await store[Symbol.asyncDispose]();
      await expectReason("UNAVAILABLE", pairs.next());
    }),

    ...everyMethod<KeyValueStore>((store) => {
      const key = freshName();
      return {
        get: (options) => store.get(key, options),
        put: (options) => store.put(key, utf8("x"), options),
        delete: (options) => store.delete(key, options),
        batch: (options) => store.batch([{ kind: "delete", key }], options),
        compareAndSwap: (options) => store.compareAndSwap(key, undefined, undefined, options),
        scan: (options) => store.scan({ prefix: key }, options),
      };
    }),
  ],
};

const unusualNames = [
  ...[
    "",
    " ",
    "  ",
    "\0",
    "\0\0",
    "\n",
    "\r\n",
    "\t",
    "/",
    "//",
    "..",
    "/../x",
    "%",
    "%00",
    "%2F",
    "\\",
    "'",
    '"',
    ";",
  ],
  ...[
    "é",
    "e\u0301",
    "ß",
    "ẞ",
    "A",
    "a",
    "ا",
    "日本",
    "😀",
    "👩‍👩‍👧",
    "\u200b",
    "\ufeff",
    "\ufffd",
    "\u{10ffff}",
    "__proto__",
  ],
];

async function keysOf(store: KeyValueStore, range: KeyValueRange): Promise<string[]> {
  return (await collect(store.scan(range))).map(({ key }) => key);
}

async function wins(swap: Promise<void>): Promise<boolean> {
  try {
    await swap;
    return true;
  } catch (error) {
    if (hasReason(error, "CONFLICT")) return false;
    throw error;
  }
}
