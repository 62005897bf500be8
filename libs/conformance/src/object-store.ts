import assert from "node:assert/strict";
import type { Locator } from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo, ObjectPutOptions } from "@graviton/ports/object-store";
import { hasReason } from "@graviton/ports/storage-error";
import { expectBytes, freshBytes, utf8 } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectReason, sourceError } from "./expect-reason.ts";
import { immutableObjectStoreClauses, unusualPaths } from "./immutable-object-store.ts";
import { bucket, foreignScheme, ownLocators } from "./own-locators.ts";
import { collect, failingAfter, held, readAll, reusingOneBuffer, streamOf } from "./streams.ts";

const clause = clauseOf<MutableObjectStore>;

/** What every {@link MutableObjectStore} promises, the promises of an ImmutableObjectStore included. */
export const objectStoreContract: Contract<MutableObjectStore> = {
  port: "MutableObjectStore",
  clauses: [
    ...immutableObjectStoreClauses,

    clause("A put tells what it stored, and head tells the same.", async (store) => {
      const { at } = await ownLocators(store);
      const info = await put(store, at("a"), freshBytes(1000));
      assert.deepEqual(info.locator, at("a"));
      assert.equal(info.size, 1000);
      assert.ok(Number.isSafeInteger(info.modifiedAt) && info.modifiedAt > 0, "modifiedAt is a time");
      assert.ok(info.etag.length > 0, "there is an etag");
      assert.deepEqual(await store.head(at("a")), info);
    }),

    clause("The stream is stored as its frames follow each other, the empty ones included.", async (store) => {
      const { at } = await ownLocators(store);
      const frames = [0, 1, 700_000, 0, 1_048_576, 1_500_000, 3].map(freshBytes);
      await store.put(at("a"), streamOf(...frames));
      expectBytes(await readAll(store.get(at("a"))), Buffer.concat(frames));
    }),

    clause("A put replaces what was there, and the new version has another etag.", async (store) => {
      const { at } = await ownLocators(store);
      const first = await put(store, at("a"), freshBytes(2000));
      const bytes = freshBytes(1000);
      const second = await put(store, at("a"), bytes);
      assert.notEqual(second.etag, first.etag);
      assert.deepEqual(await store.head(at("a")), second);
      expectBytes(await readAll(store.get(at("a"))), bytes);
    }),

    clause("Nothing of a put is visible before it is whole; what was there is.", async (store) => {
      const { at, root, scheme } = await ownLocators(store);
      const [old, next] = [freshBytes(1000), freshBytes(1000)];
      await put(store, at("old"), old);
      using replacing = held([next.subarray(0, 500)], [next.subarray(500)]);
      using creating = held([next.subarray(0, 500)], [next.subarray(500)]);
      const puts = [store.put(at("old"), replacing.stream), store.put(at("new"), creating.stream)];
      await Promise.all([replacing.waiting, creating.waiting]);
      expectBytes(await readAll(store.get(at("old"))), old);
      await expectReason("NOT_FOUND", store.head(at("new")));
      const listed = await collect(store.list({ scheme, bucket, path: root }));
      assert.deepEqual(
        listed.map(({ locator }) => locator),
        [at("old")],
      );
      replacing.release();
      creating.release();
      await Promise.all(puts);
      expectBytes(await readAll(store.get(at("old"))), next);
      expectBytes(await readAll(store.get(at("new"))), next);
    }),

    clause("A reader while an object is replaced over and over sees one version, never a mix.", async (store) => {
      const { at } = await ownLocators(store);
      const versions = [1, 2, 3, 4].map((version) => new Uint8Array(300_000 + version).fill(version));
      const write = async () => {
        for (let round = 0; round < 3; round += 1) for (const bytes of versions) await put(store, at("a"), bytes);
      };
      await put(store, at("a"), versions[0] as Uint8Array);
      const read = async () => {
        for (let round = 0; round < 20; round += 1) {
          const bytes = await readAll(store.get(at("a")));
          expectBytes(bytes, versions[(bytes[0] ?? 0) - 1] as Uint8Array, "one version");
        }
      };
      await Promise.all([write(), read()]);
    }),

    clause("Of many concurrent puts of one object the result is one of theirs.", async (store) => {
      const { at } = await ownLocators(store);
      const versions = Array.from({ length: 16 }, () => freshBytes(50_000));
      await Promise.all(versions.map((bytes) => put(store, at("a"), bytes)));
      const stored = Buffer.from(await readAll(store.get(at("a"))));
      assert.ok(
        versions.some((bytes) => stored.equals(bytes)),
        "the object is none of those that were put",
      );
    }),

    clause("A source that fails ends the put with its error and leaves the old object as it was.", async (store) => {
      const { at } = await ownLocators(store);
      const bytes = freshBytes(1000);
      const info = await put(store, at("old"), bytes);
      await expectReason(sourceError.reason, store.put(at("old"), failingAfter(sourceError, freshBytes(100))));
      await expectReason(sourceError.reason, store.put(at("new"), failingAfter(sourceError, freshBytes(100))));
      assert.deepEqual(await store.head(at("old")), info);
      expectBytes(await readAll(store.get(at("old"))), bytes);
      await expectReason("NOT_FOUND", store.head(at("new")));
    }),

    clause(
      "A put that is aborted while its source is silent ends with CANCELLED and leaves the old object.",
      async (store) => {
        const { at } = await ownLocators(store);
        const bytes = freshBytes(1000);
        await put(store, at("old"), bytes);
        using source = held([freshBytes(100)], []);
        const abort = new AbortController();
        const putting = store.put(at("old"), source.stream, { signal: abort.signal });
        await source.waiting;
        abort.abort();
        await expectReason("CANCELLED", putting);
        expectBytes(await readAll(store.get(at("old"))), bytes);
      },
    ),

    clause("A caller that reuses its buffer cannot change what is stored.", async (store) => {
      const { at } = await ownLocators(store);
      const frames = [freshBytes(1000), freshBytes(1000), freshBytes(1000)];
      await store.put(at("a"), reusingOneBuffer(...frames));
      expectBytes(await readAll(store.get(at("a"))), Buffer.concat(frames));
    }),

    clause("Changing the bytes that a read returned cannot change what is stored.", async (store) => {
      const { at } = await ownLocators(store);
      const bytes = freshBytes(1000);
      await put(store, at("a"), bytes);
      for await (const frame of store.get(at("a"))) frame.fill(0);
      expectBytes(await readAll(store.get(at("a"))), bytes);
    }),

    clause(
      "A put that may only create is ALREADY_EXISTS where there is an object, and changes nothing.",
      async (store) => {
        const { at } = await ownLocators(store);
        const bytes = freshBytes(100);
        await put(store, at("a"), bytes, { ifAbsent: true });
        await expectReason("ALREADY_EXISTS", put(store, at("a"), freshBytes(100), { ifAbsent: true }));
        expectBytes(await readAll(store.get(at("a"))), bytes);
        await store.delete(at("a"));
        await put(store, at("a"), bytes, { ifAbsent: true });
      },
    ),

    clause("Of many concurrent puts that may only create exactly one succeeds.", async (store) => {
      const { at } = await ownLocators(store);
      const names = Array.from({ length: 16 }, (_, index) => `writer ${index}`);
      const outcomes = await Promise.all(names.map((name) => creates(store, at("a"), utf8(name))));
      const winners = names.filter((_, index) => outcomes[index]);
      assert.equal(winners.length, 1, "puts that created it");
      expectBytes(await readAll(store.get(at("a"))), utf8(winners.join()));
    }),

    clause("Deleting removes just the object named, and is idempotent.", async (store) => {
      const { at, root, scheme } = await ownLocators(store);
      for (const path of ["a", "a/b", "ab"]) await put(store, at(path), utf8(path));
      await store.delete(at("a"));
      await store.delete(at("a"));
      await store.delete(at("never"));
      await expectReason("NOT_FOUND", store.head(at("a")), "head");
      await expectReason("NOT_FOUND", store.get(at("a")), "get");
      const listed = await collect(store.list({ scheme, bucket, path: root }));
      assert.deepEqual(
        listed.map(({ locator }) => locator),
        [at("a/b"), at("ab")],
      );
    }),

    clause("An object that was deleted may be put again.", async (store) => {
      const { at } = await ownLocators(store);
      await put(store, at("a/b"), utf8("first"));
      await store.delete(at("a/b"));
      await put(store, at("a"), utf8("beside"));
      await put(store, at("a/b"), utf8("again"));
      expectBytes(await readAll(store.get(at("a/b"))), utf8("again"));
    }),

    clause("A copy is what its source was, and from then on each is its own.", async (store) => {
      const { at } = await ownLocators(store);
      const bytes = freshBytes(2_500_000);
      await put(store, at("from"), bytes);
      const info = await store.copy(at("from"), at("to"));
      assert.deepEqual(info.locator, at("to"));
      assert.equal(info.size, bytes.length);
      assert.deepEqual(await store.head(at("to")), info);
      await put(store, at("from"), utf8("changed"));
      expectBytes(await readAll(store.get(at("to"))), bytes);
      await store.delete(at("from"));
      expectBytes(await readAll(store.get(at("to"))), bytes);
    }),

    clause("A copy replaces what was there.", async (store) => {
      const { at } = await ownLocators(store);
      await put(store, at("from"), utf8("new"));
      const old = await put(store, at("to"), utf8("longer and old"));
      const info = await store.copy(at("from"), at("to"));
      assert.notEqual(info.etag, old.etag);
      expectBytes(await readAll(store.get(at("to"))), utf8("new"));
    }),

    clause("A copy of an object onto itself changes nothing.", async (store) => {
      const { at } = await ownLocators(store);
      const bytes = freshBytes(1000);
      const info = await put(store, at("a"), bytes);
      assert.deepEqual(await store.copy(at("a"), at("a")), info);
      assert.deepEqual(await store.head(at("a")), info);
      expectBytes(await readAll(store.get(at("a"))), bytes);
    }),

    clause("A copy of an object that is not there is NOT_FOUND and changes nothing.", async (store) => {
      const { at } = await ownLocators(store);
      const info = await put(store, at("to"), utf8("old"));
      await expectReason("NOT_FOUND", store.copy(at("from"), at("to")));
      await expectReason("NOT_FOUND", store.copy(at("from"), at("from")));
      assert.deepEqual(await store.head(at("to")), info);
    }),

    clause("Unusual paths are paths like any other, and each is an object of its own.", async (store) => {
      const { at, root, scheme } = await ownLocators(store);
      const paths = unusualPaths(root);
      for (const path of paths) await put(store, at(path), utf8(path));
      for (const path of paths) expectBytes(await readAll(store.get(at(path))), utf8(path), path);
      assert.equal((await collect(store.list({ scheme, bucket, path: root }))).length, paths.length);
      for (const path of paths) await store.delete(at(path));
      assert.deepEqual(await collect(store.list({ scheme, bucket, path: root })), []);
    }),

    clause("Buckets are apart.", async (store) => {
      const { at } = await ownLocators(store);
      const other = { ...at("a"), bucket: "conformance.other-2" };
      await put(store, at("a"), utf8("here"));
      await expectReason("NOT_FOUND", store.head(other));
      await put(store, other, utf8("there"));
      expectBytes(await readAll(store.get(at("a"))), utf8("here"));
      expectBytes(await readAll(store.get(other)), utf8("there"));
      await store.delete(other);
    }),

    clause("Locators that could lead elsewhere are refused with INVALID_ARGUMENT by every method.", async (store) => {
      const { at, scheme } = await ownLocators(store);
      await put(store, at("a"), utf8("a"));
      const good = at("a");
      const paths = [
        "",
        "/etc/passwd",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a b",
        "a\0b",
        "a\nb",
        "a\\b",
      ];
      const buckets = ["", "..", ".", "a..b", "UPPER", "a/b", "-a", "a".repeat(64)];
      const malformed: Locator[] = [
        ...paths.map((path) => ({ scheme, bucket, path })),
        ...buckets.map((name) => ({ scheme, bucket: name, path: "a" })),
        { scheme, bucket, path: "\ud800" },
        { scheme, bucket, path: `${"x/".repeat(512)}x` },
        { scheme, bucket, path: "x".repeat(201) },
        { scheme: foreignScheme(scheme), bucket, path: "a" },
      ];
      for (const locator of malformed) {
        const what = JSON.stringify(locator);
        await expectReason("INVALID_ARGUMENT", put(store, locator, utf8("x")), `put ${what}`);
        await expectReason("INVALID_ARGUMENT", store.head(locator), `head ${what}`);
        await expectReason("INVALID_ARGUMENT", store.get(locator), `get ${what}`);
        await expectReason("INVALID_ARGUMENT", store.delete(locator), `delete ${what}`);
        await expectReason("INVALID_ARGUMENT", store.copy(good, locator), `copy to ${what}`);
        await expectReason("INVALID_ARGUMENT", store.copy(locator, good), `copy from ${what}`);
      }
    }),

    {
      says: "What was put is there after reopening.",
      needs: "durable",
      async check(harness) {
        const bytes = freshBytes(1_500_000);
        const { at, info, copied } = await (async () => {
          await using store = await harness.open();
          const { at } = await ownLocators(store);
          const info = await put(store, at("a/b"), bytes);
          const copied = await store.copy(at("a/b"), at("c"));
          await put(store, at("gone"), bytes);
          await store.delete(at("gone"));
          return { at, info, copied };
        })();
        await using store = await harness.open();
        assert.deepEqual(await store.head(at("a/b")), info);
        assert.deepEqual(await store.head(at("c")), copied);
        expectBytes(await readAll(store.get(at("a/b"))), bytes);
        await expectReason("NOT_FOUND", store.head(at("gone")));
      },
    },

    {
      says: "Dispose waits for the object in flight.",
      async check(harness) {
        const store = await harness.open();
        const { at } = await ownLocators(store);
        await put(store, at("from"), utf8("from"));
        const bytes = freshBytes(1000);
        using source = held([bytes.subarray(0, 100)], [bytes.subarray(100)]);
        const putting = store.put(at("a"), source.stream);
        await source.waiting;
        const calls = [putting, store.head(at("from")), store.copy(at("from"), at("to")), store.delete(at("b"))];
        await expectDisposeWaits(store, calls, source.release);
        await using again = await harness.open();
        expectBytes(await readAll(again.get(at("a"))), bytes);
      },
    },

    ...everyMethod<MutableObjectStore>(async (store) => {
      const { at, scheme } = await ownLocators(store);
      await put(store, at("a"), utf8("a"));
      return {
        head: (options) => store.head(at("a"), options),
        list: (options) => store.list({ scheme, bucket, path: at("a").path }, options),
        get: (options) => store.get(at("a"), undefined, options),
        put: (options) => store.put(at("b"), streamOf(utf8("b")), options),
        delete: (options) => store.delete(at("c"), options),
        copy: (options) => store.copy(at("a"), at("d"), options),
      };
    }),
  ],
};

function put(
  store: MutableObjectStore,
  locator: Locator,
  bytes: Uint8Array,
  options?: ObjectPutOptions,
): Promise<ObjectInfo> {
  return store.put(locator, streamOf(bytes), options);
}

async function creates(store: MutableObjectStore, locator: Locator, bytes: Uint8Array): Promise<boolean> {
  try {
    await put(store, locator, bytes, { ifAbsent: true });
    return true;
  } catch (error) {
    if (hasReason(error, "ALREADY_EXISTS")) return false;
    throw error;
  }
}
