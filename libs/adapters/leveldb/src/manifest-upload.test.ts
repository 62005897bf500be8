import { randomBytes } from "node:crypto";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { Key } from "@graviton/ports/key";
import { keysPerCallMax } from "@graviton/ports/limits";
import type { ManifestEntry, ManifestPage } from "@graviton/ports/manifest";
import { describe, expect, test } from "@jest/globals";
import { LevelDatabase } from "./database.ts";
import { type Driver, openDriver } from "./driver.ts";
import { LevelManifestStore } from "./manifest-store.ts";
import { recordRange } from "./tables.ts";
import { flipBit } from "./testing/level-subject.ts";
import { countRecords, openWatched, testFolder } from "./testing/test-folder.ts";

const pageEntries = 1024;

describe("Until a manifest is committed nothing of it lasts", () => {
  test("a source that fails leaves no page behind.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(folder.path);
    await using store = new LevelManifestStore(database);
    const { key, pages } = await recorded(store, 40);
    async function* failing() {
      yield* pages;
      expect(await countRecords(database, "pages")).toBeGreaterThan(0);
      throw new Error("the source fails");
    }
    await expect(store.put({ key, attributes: {} }, failing())).rejects.toThrow("the source fails");
    expect(await countRecords(database, "pages")).toBe(0);
    expect(await countRecords(database, "loosePages")).toBe(0);
  });

  test("of two that commit the same key one leaves its pages, and they are those that readers find.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(folder.path);
    await using store = new LevelManifestStore(database);
    const { key, pages, entries } = await recorded(store, 40);
    const receipts = await Promise.all([1, 2, 3].map(() => store.put({ key, attributes: {} }, streamOf(pages))));
    expect(receipts.filter(({ created }) => created).length).toBe(1);
    expect(await countRecords(database, "pages")).toBe(40);
    expect(await countRecords(database, "loosePages")).toBe(0);
    expect((await collect(store.get(key))).flat()).toEqual(entries);
  });

  test("a process that dies leaves pages that the next one to open the database removes.", async () => {
    await using folder = await testFolder();
    const copy = join(folder.path, "copy");
    const path = join(folder.path, "original");
    let kept: Key;
    {
      await using database = await LevelDatabase.open(path);
      await using store = new LevelManifestStore(database);
      const whole = await recorded(store, 20);
      await store.put({ key: whole.key, attributes: {} }, streamOf(whole.pages));
      kept = whole.key;
      const { key, pages } = await recorded(store, 40);
      async function* dying() {
        yield* pages;
        expect(await countRecords(database, "pages")).toBeGreaterThan(20);
        await cp(path, copy, { recursive: true, filter: (file) => !file.endsWith("LOCK") });
      }
      await store.put({ key, attributes: {} }, dying());
    }
    await using database = await LevelDatabase.open(copy);
    await using store = new LevelManifestStore(database);
    expect(await countRecords(database, "pages")).toBe(20);
    expect(await countRecords(database, "loosePages")).toBe(0);
    expect((await collect(store.list())).map(({ confirmed }) => confirmed.key)).toEqual([kept]);
    expect((await collect(store.get(kept))).length).toBe(20);
  });

  test("a commit that was done although it failed keeps its pages.", async () => {
    await using folder = await testFolder();
    let lie = false;
    const openDriver = openWatched(async (write) => {
      await write();
      if (lie) throw new Error("the answer is lost");
    });
    await using database = await LevelDatabase.open(folder.path, { openDriver });
    await using store = new LevelManifestStore(database);
    const { key, pages, entries } = await recorded(store, 20);
    async function* source() {
      yield* pages;
      lie = true;
    }
    const putting = store.put({ key, attributes: {} }, source());
    await expect(putting.finally(() => (lie = false))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect((await collect(store.get(key))).flat()).toEqual(entries);
    expect(await countRecords(database, "pages")).toBe(20);
  });
});

describe("A reader of a manifest that goes away", () => {
  test("ends in NOT_FOUND, and so does one of a manifest that is stored anew under the same key.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(folder.path);
    await using store = new LevelManifestStore(database);
    const { key, pages } = await recorded(store, 40);
    const header = { key, attributes: {} };
    for (const again of [false, true]) {
      await store.put(header, streamOf(pages));
      const reader = store.get(key)[Symbol.asyncIterator]();
      await reader.next();
      await store.delete(key);
      if (again) await store.put(header, streamOf(pages));
      const rest = async () => {
        while (!(await reader.next()).done);
      };
      await expect(rest()).rejects.toMatchObject({ reason: "NOT_FOUND" });
    }
  });

  test("leaves no page once the manifest is deleted.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(folder.path);
    await using store = new LevelManifestStore(database);
    const { key, pages } = await recorded(store, 20);
    await store.put({ key, attributes: {} }, streamOf(pages));
    await store.delete(key);
    expect(await countRecords(database, "pages")).toBe(0);
    expect(await countRecords(database, "loosePages")).toBe(0);
  });
});

test("A damaged page is CORRUPT by the blob's key; the pages before it are still read.", async () => {
  await using folder = await testFolder();
  let driver: Driver | undefined;
  const open = async (path: string) => (driver = await openDriver(path));
  await using database = await LevelDatabase.open(folder.path, { openDriver: open });
  await using store = new LevelManifestStore(database);
  const { key, pages, text } = await recorded(store, 20);
  await store.put({ key, attributes: {} }, streamOf(pages));
  const records = await database.view((view) => view.keys({ ...recordRange("pages"), limit: 20 }));
  await flipBit(driver as unknown as Driver, records[12] as Buffer);
  await expect(collect(store.get(key))).rejects.toMatchObject({ reason: "CORRUPT", resource: text });
  const before = await collect(store.blockRefs(key, { offset: 0, length: 8 * pageEntries }));
  expect(before.flat().length).toBe(8 * pageEntries);
  await store.delete(key);
  await expect(store.stat(key)).rejects.toMatchObject({ reason: "NOT_FOUND" });
});

interface Recorded {
  readonly key: Key;
  readonly text: string;
  readonly entries: ManifestEntry[];
  readonly pages: ManifestPage[];
}

/** A manifest of full pages of one-byte blocks, all of them recorded. */
async function recorded(store: LevelManifestStore, pageCount: number): Promise<Recorded> {
  const entries = Array.from({ length: pageCount * pageEntries }, (_, index) => {
    return { index, offset: index, block: freshKey(1) };
  });
  for (let at = 0; at < entries.length; at += keysPerCallMax) {
    await store.recordBlocks(entries.slice(at, at + keysPerCallMax).map(({ block }) => block));
  }
  const key = freshKey(entries.length);
  const pages = Array.from({ length: pageCount }, (_, page) =>
    entries.slice(page * pageEntries, (page + 1) * pageEntries),
  );
  return { key, text: `sha256:${key.digest}:${key.size}`, entries, pages };
}

function freshKey(size: number): Key {
  return { algorithm: "sha256", digest: randomBytes(32).toString("hex"), size };
}

async function* streamOf(pages: readonly ManifestPage[]): AsyncGenerator<ManifestPage> {
  yield* pages;
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
