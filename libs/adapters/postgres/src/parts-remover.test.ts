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
import { countOf, testDatabase, until } from "./testing/test-database.ts";

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

  test("An upload waits for nobody who is at what others left.", async () => {
    await using own = await testDatabase(server(), { statementTimeoutMs: 5000 });
    await using store = new PostgresObjectStore(own.database);
    await expiredUpload(own.database, 3);
    await withClient(own.config, async (other) => {
      await other.query("BEGIN; SELECT FROM object_versions FOR UPDATE");
      await store.put(at("a"), streamOf(long));
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

  test("A version that cannot be removed keeps no other.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await expiredUpload(own.database, 3);
    await own.database.query("UPDATE object_chunks SET content = 'damaged'", []);
    await refuseMoreChunks(own.database, "DELETE", 0, "content = 'damaged'");
    await expiredUpload(own.database, 5);
    await store.put(at("a"), streamOf(long));
    await until(async () => (await rowsOfObjects(own.database)) === `2,${longChunks + 3}`);
  });

  test("An object of any size is deleted and replaced, and is gone at once.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    for (const path of ["a", "b", "c"]) await objectOfChunks(own.database, path, manyChunks);
    await refuseMoreChunks(own.database, "DELETE", partsPerStatement);
    await store.delete(at("a"));
    await expect(store.head(at("a"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await store.put(at("b"), streamOf(Buffer.from("b")));
    await store.copy(at("b"), at("c"));
    for (const path of ["b", "c"]) expect(await Array.fromAsync(store.get(at(path)))).toEqual([Buffer.from("b")]);
    await until(async () => (await rowsOfObjects(own.database)) === "2,2");
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
    await objectOfChunks(own.database, "a", 3);
    await withClient(own.config, async (other) => {
      await other.query("BEGIN; SELECT FROM object_chunks FOR UPDATE");
      await store.delete(at("a"));
      const waiting = "pg_stat_activity WHERE wait_event_type = 'Lock' AND position('object_chunks' IN query) > 0";
      await until(async () => (await countOf(own.database, waiting)) === 1);
      await store[Symbol.asyncDispose]();
      expect(own.database.connections.busy).toBe(0);
    });
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
