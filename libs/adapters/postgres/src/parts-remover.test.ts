import { randomBytes } from "node:crypto";
import { failingAfter, held, streamOf } from "@graviton/conformance/streams";
import { StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { PostgresDatabase } from "./database.ts";
import { objectChunkBytes, objectChunksPerWrite, partsPerStatement } from "./limits.ts";
import { PostgresObjectStore } from "./object-store.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { at, expiredUpload, objectOfChunks, refuseMoreChunks, rowsOfObjects } from "./testing/large-objects.ts";
import { isOwnServer } from "./testing/postgres-server.ts";
import { modestUser, withClient } from "./testing/postgres-subject.ts";
import { countOf, type TestDatabase, testDatabase, until } from "./testing/test-database.ts";

/** More than one statement writes. */
const longChunks = objectChunksPerWrite + 2;
const long = randomBytes(objectChunkBytes * longChunks);

/** More than a few statements remove. */
const manyChunks = partsPerStatement * 3 + 1;

describePostgres("What nobody needs any more", (server) => {
  test("An upload goes on where what others left cannot be removed.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await expiredUpload(own.database, 3);
    await refuseMoreChunks(own.database, "DELETE", 0);
    await store.put(at("a"), streamOf(long));
    expect((await store.head(at("a"))).size).toBe(long.length);
  });

  test("What somebody else is at keeps neither an upload waiting nor the rest.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await expiredUpload(own.database, 1);
    await expiredUpload(own.database, 2);
    await own.database.query("UPDATE object_versions SET pending_since = 'infinity' WHERE id = 2", []);
    await withClient(own.config, async (other) => {
      await other.query("BEGIN; SELECT FROM object_versions FOR UPDATE");
      await expiredUpload(own.database, 3);
      await store.put(at("a"), streamOf(long));
      await until(async () => (await rowsOfObjects(own.database)) === `3,${longChunks + 1 + 2}`);
    });
  });

  test("It is removed a few parts a statement, however much it is.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    for (const chunks of [manyChunks, 0, partsPerStatement]) await expiredUpload(own.database, chunks);
    await refuseMoreChunks(own.database, "DELETE", partsPerStatement);
    await store.put(at("a"), streamOf(long));
    await until(async () => (await rowsOfObjects(own.database)) === `1,${longChunks}`);
  });

  test("A version that cannot be removed keeps no other, and is not written again.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await expiredUpload(own.database, 3);
    await own.database.query("UPDATE object_chunks SET content = 'damaged'", []);
    const [marked] = (
      await own.database.query<{ xmin: string }>(
        "UPDATE object_versions SET pending_since = 'infinity' RETURNING xmin::text",
        [],
      )
    ).rows;
    await refuseMoreChunks(own.database, "DELETE", 0, "content = 'damaged'");
    await expiredUpload(own.database, 5);
    await store.put(at("a"), streamOf(long));
    await until(async () => (await rowsOfObjects(own.database)) === `2,${longChunks + 3}`);
    expect(await countOf(own.database, `object_versions WHERE xmin = '${marked?.xmin}'`)).toBe(1);
  });

  test("A short version goes with its name, a longer one is left to be removed.", async () => {
    await using own = await testDatabase(server());
    for (const [path, chunks] of [
      ["empty", 0],
      ["short", partsPerStatement],
      ["long", partsPerStatement + 1],
    ] as const) {
      await objectOfChunks(own.database, path, chunks);
      await manifestOfPages(own.database, chunks);
    }
    for (const names of ["objects", "manifests"]) await own.database.query(`DELETE FROM ${names}`, []);
    for (const [versions, parts] of [
      ["object_versions", "object_chunks"],
      ["manifest_versions", "manifest_pages"],
    ]) {
      expect(await countOf(own.database, `${versions}`)).toBe(1);
      expect(await countOf(own.database, `${versions} WHERE pending_since = 'infinity'`)).toBe(1);
      expect(await countOf(own.database, `${parts}`)).toBe(partsPerStatement + 1);
    }
  });

  test("The search reads no version that is in use, also when the planner takes many to be removed.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1 });
    await objectOfChunks(own.database, "a", manyChunks);
    const pending = "CASE WHEN n % 2 = 0 THEN 'infinity'::timestamptz END FROM generate_series(1, 20000) AS n";
    await own.database.query(`INSERT INTO object_versions (pending_since) SELECT ${pending}`, []);
    await own.database.query("ANALYZE object_versions", []);
    await own.database.query("UPDATE object_versions SET pending_since = NULL WHERE pending_since IS NOT NULL", []);
    await using store = new PostgresObjectStore(own.database);
    await store.delete(at("a"));
    await until(async () => (await rowsOfObjects(own.database)) === "20000,0");
    expect(await readOfVersions(own)).toBeLessThan(1000);
  });

  test("An object of any size is deleted and replaced, and is gone at once.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    for (const path of ["a", "b", "c"]) await objectOfChunks(own.database, path, manyChunks);
    await refuseMoreChunks(own.database, "DELETE", partsPerStatement);
    const leaves = (rows: string) => until(async () => (await rowsOfObjects(own.database)) === rows);
    await store.delete(at("a"));
    await expect(store.head(at("a"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await leaves(`2,${2 * manyChunks}`);
    await store.put(at("b"), streamOf(Buffer.from("b")));
    await leaves(`2,${1 + manyChunks}`);
    await store.copy(at("b"), at("c"));
    for (const path of ["b", "c"]) expect(await Array.fromAsync(store.get(at(path)))).toEqual([Buffer.from("b")]);
    await leaves("2,2");
  });

  test("A reader has the whole object, also when no row of it is left.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await store.put(at("a"), streamOf(long));
    const read: Uint8Array[] = [];
    for await (const frame of store.get(at("a"))) {
      if (read.length === 0) await store.delete(at("a"));
      await until(async () => (await rowsOfObjects(own.database)) === "0,0");
      read.push(frame);
    }
    expect(Buffer.concat(read).equals(long)).toBe(true);
  });

  test("An upload whose parts are about to be removed is CONFLICT.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    using source = held([long], []);
    const putting = store.put(at("a"), source.stream);
    await source.waiting;
    await own.database.query("UPDATE object_versions SET pending_since = 'infinity'", []);
    source.release();
    await expect(putting).rejects.toMatchObject({ reason: "CONFLICT" });
    await expect(store.head(at("a"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  test("Nothing goes on once the store is disposed.", async () => {
    await using own = await testDatabase(server());
    const store = new PostgresObjectStore(own.database);
    await objectOfChunks(own.database, "a", manyChunks);
    await withClient(own.config, async (other) => {
      await other.query("BEGIN; SELECT FROM object_chunks FOR UPDATE");
      await store.delete(at("a"));
      const waiting = "pg_stat_activity WHERE wait_event_type = 'Lock' AND position('object_chunks' IN query) > 0";
      await until(async () => (await countOf(own.database, waiting)) === 1);
      await store[Symbol.asyncDispose]();
      expect(own.database.connections.busy).toBe(0);
    });
  });

  test("What uploads wrote that are aborted while their store is disposed may be removed at once.", async () => {
    await using own = await testDatabase(server());
    const store = new PostgresObjectStore(own.database);
    const abort = new AbortController();
    const sources = [held([long], []), held([long], [])];
    const puts = sources.map(({ stream }, index) => store.put(at(`${index}`), stream, { signal: abort.signal }));
    await Promise.all(sources.map(({ waiting }) => waiting));
    const disposed = store[Symbol.asyncDispose]();
    abort.abort();
    await Promise.allSettled([...puts, disposed]);
    expect(await countOf(own.database, "object_versions WHERE pending_since < 'infinity'")).toBe(0);
  });

  (isOwnServer ? test : test.skip)("Services have the rights that it takes.", async () => {
    await using own = await testDatabase(server());
    const modest = await modestUser(own.config);
    await using database = await PostgresDatabase.open({ ...modest, migrate: false });
    await using store = new PostgresObjectStore(database);
    for (const path of ["a", "b"]) await objectOfChunks(own.database, path, manyChunks);
    await store.copy(at("a"), at("b"));
    for (const path of ["a", "b"]) await store.delete(at(path));
    const failing = failingAfter(new StorageError("CANCELLED", "enough"), long);
    await expect(store.put(at("a"), failing)).rejects.toMatchObject({ reason: "CANCELLED" });
    await until(async () => (await rowsOfObjects(own.database)) === "0,0");
  });
});

/** A manifest past the store, of pages that nobody could read. */
async function manifestOfPages(database: PostgresDatabase, pages: number): Promise<void> {
  await database.query(
    `WITH version AS (INSERT INTO manifest_versions DEFAULT VALUES RETURNING id), pages AS (
        INSERT INTO manifest_pages
        SELECT id, first_offset, $2, 0 FROM version, generate_series(0, $1::bigint - 1) AS first_offset
      )
      INSERT INTO manifests SELECT $3, id, 1, 1, '{}' FROM version`,
    [pages, Buffer.alloc(54), `blake3:${randomBytes(32).toString("hex")}:1`],
  );
}

/** How many versions the database's only session has found by their number. It is over then: only now does it tell. */
async function readOfVersions({ database, config }: TestDatabase): Promise<number> {
  const [session] = (await database.query<{ pid: number }>("SELECT pg_backend_pid() AS pid", [])).rows;
  await database[Symbol.asyncDispose]();
  return withClient(config, async (client) => {
    const going = "SELECT FROM pg_stat_activity WHERE pid = $1";
    await until(async () => (await client.query(going, [session?.pid])).rowCount === 0);
    const read = "SELECT pg_stat_get_tuples_returned('object_versions_pkey'::regclass) AS read";
    return (await client.query<{ read: number }>(read)).rows[0]?.read ?? 0;
  });
}
