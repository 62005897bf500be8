import assert from "node:assert/strict";
import { formatLocator, type LocatorPrefix } from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions } from "@graviton/ports/object-store";
import { expectBytes, freshBytes, inByteOrder, utf8 } from "./content.ts";
import { type Clause, clauseOf } from "./contract.ts";
import { expectReason } from "./expect-reason.ts";
import { bucket, foreignScheme, type OwnLocators, ownLocators } from "./own-locators.ts";
import { collect, inParallel, readAll, readFirst, readPages, streamOf } from "./streams.ts";

const clause = clauseOf<MutableObjectStore>;

/** What every ImmutableObjectStore promises. The clauses write what they read, so they take a store that can. */
export const immutableObjectStoreClauses: readonly Clause<MutableObjectStore>[] = [
  clause("An object that is not there is NOT_FOUND and named, before the first byte.", async (store) => {
    const { at } = await ownLocators(store);
    await put(store, at("a/b"));
    for (const path of ["never", "a", "a/b/c"]) {
      const text = formatLocator(at(path));
      assert.equal((await expectReason("NOT_FOUND", store.head(at(path)), `head ${path}`)).resource, text);
      assert.equal((await expectReason("NOT_FOUND", store.get(at(path)), `get ${path}`)).resource, text);
    }
  }),

  clause("An empty object is there, and has no bytes.", async (store) => {
    const { at } = await ownLocators(store);
    await store.put(at("empty"), streamOf());
    assert.equal((await store.head(at("empty"))).size, 0);
    expectBytes(await readAll(store.get(at("empty"))), new Uint8Array());
    expectBytes(await readAll(store.get(at("empty"), { offset: 0, length: 10 })), new Uint8Array());
    await expectReason("OUT_OF_RANGE", store.get(at("empty"), { offset: 1 }));
  }),

  clause("A range reads the first bytes, the last, the whole, and stops at the end.", async (store) => {
    const { at } = await ownLocators(store);
    const bytes = freshBytes(3_000_000);
    await store.put(at("a"), streamOf(bytes));
    const ranges = [
      { offset: 0 },
      { offset: 0, length: 1 },
      { offset: 2_999_999 },
      { offset: 0, length: 3_000_000 },
      { offset: 999_999, length: 1_100_000 },
      { offset: 2_999_990, length: 50 },
      { offset: 3_000_000 },
      { offset: 10, length: 0 },
    ];
    for (const range of ranges) {
      const expected = bytes.subarray(
        range.offset,
        range.length === undefined ? undefined : range.offset + range.length,
      );
      expectBytes(await readAll(store.get(at("a"), range)), expected, `the range ${JSON.stringify(range)}`);
    }
  }),

  clause(
    "A range that begins beyond the end is OUT_OF_RANGE; one that is malformed INVALID_ARGUMENT.",
    async (store) => {
      const { at } = await ownLocators(store);
      await store.put(at("a"), streamOf(freshBytes(1000)));
      await expectReason("OUT_OF_RANGE", store.get(at("a"), { offset: 1001 }));
      await expectReason("INVALID_ARGUMENT", store.get(at("a"), { offset: -1 }));
      await expectReason("INVALID_ARGUMENT", store.get(at("a"), { offset: 0.5 }));
      await expectReason("INVALID_ARGUMENT", store.get(at("a"), { offset: 0, length: -1 }));
    },
  ),

  clause("A reader sees one version of the object to the end, also while it is replaced or deleted.", async (store) => {
    const { at } = await ownLocators(store);
    const bytes = freshBytes(12 * 1024 * 1024);
    for (const change of ["replaced", "deleted"]) {
      await store.put(at(change), streamOf(bytes));
      const reading = store.get(at(change))[Symbol.asyncIterator]();
      const frames = [(await reading.next()).value];
      if (change === "replaced") await store.put(at(change), streamOf(freshBytes(12 * 1024 * 1024)));
      else await store.delete(at(change));
      for (let step = await reading.next(); !step.done; step = await reading.next()) frames.push(step.value);
      expectBytes(
        Buffer.concat(frames.filter((frame) => frame !== undefined)),
        bytes,
        `the object ${change} meanwhile`,
      );
    }
  }),

  clause("A reader may stop early, and what the read held is freed.", async (store) => {
    const { at } = await ownLocators(store);
    const bytes = freshBytes(3_000_000);
    await store.put(at("a"), streamOf(bytes));
    for (let round = 0; round < 60; round += 1) {
      assert.equal((await readFirst(store.get(at("a"))))?.[0], bytes[0]);
    }
    expectBytes(await readAll(store.get(at("a"))), bytes);
  }),

  clause(
    "A list gives just the objects whose paths begin with the prefix, in the byte order of their paths.",
    async (store) => {
      const own = await ownLocators(store);
      const inside = [
        "d/a",
        "d/a-b",
        "d/a/b",
        "d/a/b/c",
        "d/a.b",
        "d/a0",
        "d/b",
        "d/é",
        "d/\uff61",
        "d/😀",
        "dir/x",
        "d!",
      ];
      const outside = ["c", "e", "D/a", "x/d/a"];
      for (const path of [...inside, ...outside]) await put(store, own.at(path));
      assert.deepEqual(await pathsOf(store, own, "d"), inByteOrder(inside));
      assert.deepEqual(await pathsOf(store, own, "d/"), inByteOrder(inside.filter((path) => path.startsWith("d/"))));
      assert.deepEqual(await pathsOf(store, own, "d/a/"), ["d/a/b", "d/a/b/c"]);
      assert.deepEqual(await pathsOf(store, own, "d/a/b"), ["d/a/b", "d/a/b/c"]);
      assert.deepEqual(await pathsOf(store, own, ""), inByteOrder([...inside, ...outside]));
      assert.deepEqual(await pathsOf(store, own, "nothing/here"), []);
    },
  ),

  clause("A list tells of each object what head tells.", async (store) => {
    const { at, root, scheme } = await ownLocators(store);
    for (const path of ["a", "b/c", "d"]) await put(store, at(path));
    for (const info of await collect(store.list({ scheme, bucket, path: root }))) {
      assert.deepEqual(info, await store.head(info.locator));
    }
  }),

  clause(
    "A list goes on after a path and stops at its limit, whether or not there is an object at that path.",
    async (store) => {
      const own = await ownLocators(store);
      for (const path of ["a", "b", "b/c", "d", "e"]) await put(store, own.at(path));
      assert.deepEqual(await pathsOf(store, own, "", { limit: 2 }), ["a", "b"]);
      assert.deepEqual(await pathsOf(store, own, "", { after: `${own.root}b`, limit: 2 }), ["b/c", "d"]);
      assert.deepEqual(await pathsOf(store, own, "", { after: `${own.root}bb` }), ["d", "e"]);
      assert.deepEqual(await pathsOf(store, own, "", { after: `${own.root}e` }), []);
      assert.deepEqual(await pathsOf(store, own, "b", { after: `${own.root}a` }), ["b", "b/c"]);
    },
  ),

  clause("A limit that is not a whole number of 1 or more is refused with INVALID_ARGUMENT.", async (store) => {
    const { scheme, root } = await ownLocators(store);
    for (const limit of [0, -1, 1.5]) {
      await expectReason("INVALID_ARGUMENT", store.list({ scheme, bucket, path: root }, { limit }), `limit ${limit}`);
    }
  }),

  clause("A prefix that could lead elsewhere is refused with INVALID_ARGUMENT.", async (store) => {
    const { scheme } = await ownLocators(store);
    const malformed: LocatorPrefix[] = [
      ...["../", "a/../b", "/a", "a//", "a b", "a\0"].map((path) => ({ scheme, bucket, path })),
      { scheme, bucket: "..", path: "" },
      { scheme: foreignScheme(scheme), bucket, path: "" },
    ];
    for (const prefix of malformed) await expectReason("INVALID_ARGUMENT", store.list(prefix), JSON.stringify(prefix));
  }),

  clause(
    "A list loses and doubles none that was there from beginning to end, whatever is written meanwhile.",
    async (store) => {
      const { at, root, scheme } = await ownLocators(store);
      const names = Array.from({ length: 60 }, (_, index) => String(index).padStart(2, "0"));
      const stay = names.filter((_, index) => index % 3 !== 0);
      const go = names.filter((_, index) => index % 3 === 0);
      await inParallel(names, 16, (name) => put(store, at(name)));
      const page = (last?: ObjectInfo) =>
        store.list({ scheme, bucket, path: root }, { after: last?.locator.path, limit: 15 });
      const infos = await readPages(page, [
        () => inParallel(go, 16, (name) => store.delete(at(name))),
        () => inParallel(stay.slice(0, 20), 16, (name) => put(store, at(`${name}/new`))),
      ]);
      const seen = infos.map((info) => relative(info, root));
      assert.equal(new Set(seen).size, seen.length, "none is doubled");
      assert.deepEqual(
        seen.filter((name) => stay.includes(name)),
        stay,
      );
    },
  ),

  clause(
    "10,000 objects are listed in order, whole and in pages.",
    async (store) => {
      const own = await ownLocators(store);
      const paths = Array.from({ length: 10_000 }, (_, index) => `${index % 100}/${index}`);
      await inParallel(paths, 64, (path) => store.put(own.at(path), streamOf(utf8(path))));
      const sorted = inByteOrder(paths);
      assert.deepEqual(await pathsOf(store, own, ""), sorted);
      const paged: string[] = [];
      for (let page = await pathsOf(store, own, "", { limit: 3000 }); page.length > 0; ) {
        paged.push(...page);
        page = await pathsOf(store, own, "", { limit: 3000, after: own.root + page.at(-1) });
      }
      assert.deepEqual(paged, sorted);
    },
    "isolation",
  ),

  clause("Dispose ends a read that nobody pulls from, which then refuses to go on.", async (store) => {
    const { at, root, scheme } = await ownLocators(store);
    await store.put(at("a"), streamOf(freshBytes(12 * 1024 * 1024)));
    await put(store, at("b"));
    const reading = store.get(at("a"))[Symbol.asyncIterator]();
    const list = store.list({ scheme, bucket, path: root })[Symbol.asyncIterator]();
    await Promise.all([reading.next(), list.next()]);
    await store[Symbol.asyncDispose]();
    await expectReason("UNAVAILABLE", reading.next());
    await expectReason("UNAVAILABLE", list.next());
  }),
];

/** Paths that a store must keep apart and not trip over, for a root of this length. */
export function unusualPaths(root: string): string[] {
  const long = "x".repeat(200);
  const deep = `${long}/${long}/${long}/${long}/`;
  return [
    ...[
      ".hidden",
      "...",
      "a..b",
      "..a",
      "a.",
      "-a",
      "~",
      "~a",
      "%",
      "%2e%2e",
      "%2F",
      "%00",
      "a%20b",
      "+",
      "&",
      "=",
      "?",
      "#",
    ],
    ...[
      "'",
      '"',
      "`",
      "$HOME",
      "*",
      "<a>",
      "|",
      ":",
      ";",
      "@",
      "!",
      "(a)",
      "[a]",
      "{a}",
      "^",
      ",",
      "con",
      "nul",
      "a.tmp",
    ],
    ...[
      "é",
      "e\u0301",
      "E",
      "e",
      "ß",
      "日本",
      "😀",
      "\u{10ffff}",
      "a/b/c/d/e/f",
      "a/b",
      "a",
      "__proto__",
      "index.html",
    ],
    ...[long, `é${"x".repeat(198)}`, deep + "y".repeat(1024 - root.length - deep.length)],
  ];
}

function put(store: MutableObjectStore, locator: ObjectInfo["locator"]): Promise<ObjectInfo> {
  return store.put(locator, streamOf(utf8(locator.path)));
}

async function pathsOf(
  store: MutableObjectStore,
  { scheme, root }: OwnLocators,
  prefix: string,
  options?: ObjectListOptions,
): Promise<string[]> {
  const infos = await collect(store.list({ scheme, bucket, path: root + prefix }, options));
  return infos.map((info) => relative(info, root));
}

function relative({ locator }: ObjectInfo, root: string): string {
  return locator.path.slice(root.length);
}
