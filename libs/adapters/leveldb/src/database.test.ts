import { cp, open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, hasReason } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { LevelDatabase } from "./database.ts";
import { openDriver } from "./driver.ts";
import { LevelKeyValueStore } from "./key-value-store.ts";
import { recordKey } from "./tables.ts";
import { countRecords, openWatched, testFolder } from "./testing/test-folder.ts";
import { del, put } from "./update.ts";

const key = recordKey("pairs", "key");
const other = recordKey("pairs", "other");
const content = Buffer.from("content");

describe("Opening", () => {
  test("A folder that is open already is refused as UNAVAILABLE, by name.", async () => {
    await using folder = await testFolder();
    await using _ = await LevelDatabase.open(folder.path);
    const error = await failureOf(LevelDatabase.open(folder.path));
    expect(error).toMatchObject({ reason: "UNAVAILABLE", resource: folder.path });
    expect(error.message).toContain("open already");
    expect(codeOfCause(error)).toBe("LEVEL_LOCKED");
  });

  test("A path that cannot be a folder is refused as UNAVAILABLE, by name.", async () => {
    await using folder = await testFolder();
    await writeFile(join(folder.path, "file"), "");
    const path = join(folder.path, "file", "database");
    await expect(LevelDatabase.open(path)).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: path });
  });

  test("A folder is made with those above it.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(join(folder.path, "a", "b"));
    expect(await database.get(key)).toBe(undefined);
  });

  test("A database of another format is refused, and left as it is.", async () => {
    await using folder = await testFolder();
    {
      await using database = await LevelDatabase.open(folder.path);
      await database.update({ changes: () => [put(recordKey("meta", "format"), Buffer.from("graviton-leveldb 2"))] });
    }
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const error = await failureOf(LevelDatabase.open(folder.path));
      expect(error).toMatchObject({ reason: "UNSUPPORTED", resource: folder.path });
      expect(error.message).toContain("graviton-leveldb 2");
    }
  });

  test("A database of somebody else's is refused, and left as it is.", async () => {
    await using folder = await testFolder();
    const driver = await openDriver(folder.path);
    await driver.put(Buffer.from("foreign"), content);
    await driver.close();
    await expect(LevelDatabase.open(folder.path)).rejects.toMatchObject({ reason: "UNSUPPORTED" });
    const again = await openDriver(folder.path);
    expect((await again.keys().all()).map(String)).toEqual(["foreign"]);
    await again.close();
  });
});

describe("Damage", () => {
  test("A value that changed on the disk is CORRUPT, by the name of its key, and never read as data.", async () => {
    await using folder = await testFolder();
    {
      await using store = await LevelKeyValueStore.open(folder.path);
      await store.put("a key", Buffer.from("a value that is easy to find"));
    }
    // Opened and closed once more, LevelDB has moved the value from its log into a table.
    await (await LevelDatabase.open(folder.path))[Symbol.asyncDispose]();
    expect(await changeOnDisk(folder.path, ".ldb", "easy to find", "hard to find")).toBe(1);
    await using store = await LevelKeyValueStore.open(folder.path);
    await expect(store.get("a key")).rejects.toMatchObject({ reason: "CORRUPT", resource: "a key" });
    await expect(collect(store.scan({}))).rejects.toMatchObject({ reason: "CORRUPT", resource: "a key" });
    await store.put("a key", content);
    expect(await store.get("a key")).toEqual(new Uint8Array(content));
  });

  test("A database whose own files are damaged is CORRUPT, by its folder.", async () => {
    await using folder = await testFolder();
    await (await LevelDatabase.open(folder.path))[Symbol.asyncDispose]();
    const [manifest] = (await readdir(folder.path)).filter((name) => name.startsWith("MANIFEST"));
    await writeFile(join(folder.path, manifest as string), "this is no manifest of LevelDB's");
    const error = await failureOf(LevelDatabase.open(folder.path));
    expect(error).toMatchObject({ reason: "CORRUPT", resource: folder.path });
    expect(codeOfCause(error)).toBe("LEVEL_CORRUPTION");
  });
});

describe("Writing", () => {
  test("A thousand puts at once share a few flushed batches.", async () => {
    await using folder = await testFolder();
    let batches = 0;
    const openDriver = openWatched(async (write) => {
      batches += 1;
      await write();
    });
    await using database = await LevelDatabase.open(folder.path, { openDriver });
    batches = 0;
    const puts = Array.from({ length: 1000 }, (_, index) =>
      database.update({ changes: () => [put(recordKey("pairs", String(index)), content)] }),
    );
    await Promise.all(puts);
    expect(batches).toBeLessThanOrEqual(3);
    expect(await countRecords(database, "pairs")).toBe(1000);
  });

  test("After a failed write the database is read on, opened again before the next write, and has lost nothing.", async () => {
    await using folder = await testFolder();
    let failing = false;
    let opened = 0;
    const watched = openWatched(async (write) => {
      if (failing) throw Object.assign(new Error("IO error: No space left on device"), { code: "LEVEL_IO_ERROR" });
      await write();
    });
    const openDriver = async (path: string) => {
      opened += 1;
      return watched(path);
    };
    await using database = await LevelDatabase.open(folder.path, { openDriver });
    await database.update({ changes: () => [put(key, content)] });
    failing = true;
    const write = () => database.update({ changes: () => [put(other, content)] });
    await expect(write()).rejects.toMatchObject({ reason: "EXHAUSTED", retryAfterMs: expect.any(Number) });
    expect(await database.get(key)).toEqual(content);
    failing = false;
    const reads = Array.from({ length: 20 }, () => database.get(key));
    await write();
    expect(opened).toBe(2);
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, () => content));
    expect(await database.get(other)).toEqual(content);
  });

  test("A database that could not be opened again after a failed write is opened by the next read.", async () => {
    await using folder = await testFolder();
    const faults: string[] = [];
    const fail = (fault: string) => {
      if (faults[0] !== fault) return;
      faults.shift();
      throw new Error(`the ${fault} fails`);
    };
    const watched = openWatched(async (write) => {
      fail("batch");
      await write();
    });
    const openDriver = async (path: string) => {
      fail("opening");
      return watched(path);
    };
    await using database = await LevelDatabase.open(folder.path, { openDriver });
    await database.update({ changes: () => [put(key, content)] });
    faults.push("batch", "opening");
    const write = () => database.update({ changes: () => [put(other, content)] });
    await expect(write()).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await expect(write()).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect(await database.get(key)).toEqual(content);
    await write();
  });

  test("No batch begins while a read is under way that is older than the batch before it.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(folder.path);
    await database.update({ changes: () => [put(key, content)] });
    const begun = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const reading = database.view(async (view) => {
      begun.resolve();
      await release.promise;
      return view.page({ gte: key, lt: other, limit: 1 });
    });
    await begun.promise;
    await database.update({ changes: () => [put(key, Buffer.from("second"))] });
    let third = false;
    const writing = database.update({ changes: () => [del(key)] }).then(() => (third = true));
    // A read that began later holds nobody up, and sees the second.
    for (let turn = 0; turn < 20; turn += 1) expect((await database.get(key))?.toString()).toBe("second");
    expect(third).toBe(false);
    release.resolve();
    expect(await reading).toEqual([{ key, content }]);
    await writing;
    expect(await database.get(key)).toBe(undefined);
  });

  test("Dispose waits for writes and reads under way and refuses what comes after.", async () => {
    await using folder = await testFolder();
    const database = await LevelDatabase.open(folder.path);
    const writing = database.update({ changes: () => [put(key, content)] });
    const reading = database.get(other);
    await database[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await writing;
    expect(await reading).toBe(undefined);
    for (const call of [database.get(key), database.hasMany([key]), database.update({ changes: () => [] })]) {
      await expect(call).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: folder.path });
    }
    await using again = await LevelDatabase.open(folder.path);
    expect(await again.get(key)).toEqual(content);
  });

  test("Several stores share one database.", async () => {
    await using folder = await testFolder();
    await using database = await LevelDatabase.open(folder.path);
    const first = new LevelKeyValueStore(database);
    await using second = new LevelKeyValueStore(database);
    await first.put("a", Buffer.of(1));
    const scan = first.scan({})[Symbol.asyncIterator]();
    await first.put("b", Buffer.of(1));
    expect((await scan.next()).value?.key).toBe("a");
    await second.delete("b");
    expect((await scan.next()).value?.key).toBe("b");
    await first[Symbol.asyncDispose]();
    expect(await second.get("a")).toEqual(Uint8Array.of(1));
  });
});

test("What a process that died kept for its scans is removed at the next opening.", async () => {
  await using folder = await testFolder();
  const copy = join(folder.path, "copy");
  {
    const path = join(folder.path, "original");
    await using database = await LevelDatabase.open(path);
    await using store = new LevelKeyValueStore(database);
    for (const name of ["a", "b", "c"]) await store.put(name, content);
    await store.scan({})[Symbol.asyncIterator]().next();
    for (let index = 0; index < 600; index += 1) await store.put(`d${index}`, content);
    expect(await countRecords(database, "undo")).toBeGreaterThan(0);
    // What is on the disk now is what a crash would leave.
    await cp(path, copy, { recursive: true, filter: (file) => !file.endsWith("LOCK") });
  }
  await using database = await LevelDatabase.open(copy);
  expect(await countRecords(database, "undo")).toBe(0);
  expect(await countRecords(database, "pairs")).toBe(603);
});

async function failureOf(call: Promise<AsyncDisposable>): Promise<Error> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!hasReason(outcome, "UNAVAILABLE") && !hasReason(outcome, "UNSUPPORTED") && !hasReason(outcome, "CORRUPT")) {
    throw new Error(`the call should fail on purpose, not with ${String(outcome)}`);
  }
  return outcome;
}

function codeOfCause(error: Error): string | undefined {
  const cause = error.cause as Error;
  return errorCode(cause.cause ?? cause);
}

/** Replaces a text by one as long in the files that end so; gives how often. */
async function changeOnDisk(folder: string, suffix: string, from: string, to: string): Promise<number> {
  let count = 0;
  for (const name of (await readdir(folder)).filter((name) => name.endsWith(suffix))) {
    await using file = await open(join(folder, name), "r+");
    const at = (await file.readFile()).indexOf(from);
    if (at === -1) continue;
    await file.write(Buffer.from(to), 0, to.length, at);
    count += 1;
  }
  return count;
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
