import { randomBytes } from "node:crypto";
import { failingAfter, held, streamOf } from "@graviton/conformance/streams";
import type { Key } from "@graviton/ports/key";
import { manifestPageEntries } from "@graviton/ports/limits";
import type { ManifestPage } from "@graviton/ports/manifest";
import { StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import type { PostgresDatabase } from "./database.ts";
import { manifestPagesPerWrite, objectChunkBytes, objectChunksPerWrite, partsPerStatement } from "./limits.ts";
import { PostgresManifestStore } from "./manifest-store.ts";
import { insertObject, objectTables } from "./object-rows.ts";
import { PostgresObjectStore } from "./object-store.ts";
import { PartsWriter } from "./parts.ts";
import { PartsRemover } from "./parts-remover.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { at, objectOfChunks, refuseMoreChunks } from "./testing/large-objects.ts";
import { withClient } from "./testing/postgres-subject.ts";
import { countOf, testDatabase, until } from "./testing/test-database.ts";

/** More than one statement writes. */
const longBytes = objectChunkBytes * (objectChunksPerWrite + 2);
const longPages = manifestPagesPerWrite + 4;

describePostgres("Uploads of many parts", (server) => {
  test("A manifest whose source fails late leaves no page.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresManifestStore(own.database);
    const { key, pages } = await manifest(store);
    const failing = failingAfter(new StorageError("CANCELLED", "enough"), ...pages);
    await expect(store.put({ key, attributes: {} }, failing)).rejects.toMatchObject({ reason: "CANCELLED" });
    await leaves(own.database, [0, 0, 0, 0]);
  });

  test("A manifest that was there already, and one that is deleted, leaves no page.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresManifestStore(own.database);
    const { key, pages } = await manifest(store);
    await store.put({ key, attributes: {} }, streamOf(...pages));
    await store.put({ key, attributes: {} }, streamOf(...pages));
    await leaves(own.database, [1, longPages, 0, 0]);
    await store.delete(key);
    await leaves(own.database, [0, 0, 0, 0]);
  });

  test("A manifest that is deleted while it is read ends in NOT_FOUND.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresManifestStore(own.database);
    const { key, pages } = await manifest(store);
    await store.put({ key, attributes: {} }, streamOf(...pages));
    const reading = store.get(key)[Symbol.asyncIterator]();
    await reading.next();
    await store.delete(key);
    await leaves(own.database, [0, 0, 0, 0]);
    const rest = async () => {
      for (let step = await reading.next(); !step.done; ) step = await reading.next();
    };
    await expect(rest()).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  test("Objects that failed, were replaced or deleted leave no chunk.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    const bytes = randomBytes(longBytes);
    const failing = failingAfter(new StorageError("CANCELLED", "enough"), bytes);
    await expect(store.put(at("a"), failing)).rejects.toMatchObject({ reason: "CANCELLED" });
    await leaves(own.database, [0, 0, 0, 0]);
    await store.put(at("a"), streamOf(bytes));
    await store.put(at("a"), streamOf(bytes.subarray(0, 10)));
    await store.put(at("b"), streamOf(bytes));
    await store.copy(at("a"), at("b"));
    await leaves(own.database, [0, 0, 2, 2]);
    await store.delete(at("a"));
    await leaves(own.database, [0, 0, 1, 1]);
  });

  test("Objects are copied whole onto each other and while they are replaced.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    const [a, b] = [Buffer.alloc(longBytes, 1), Buffer.alloc(longBytes, 2)];
    await Promise.all([store.put(at("a"), streamOf(a)), store.put(at("b"), streamOf(b))]);
    const changes = Array.from({ length: 10 }, () => [
      store.copy(at("a"), at("b")),
      store.copy(at("b"), at("a")),
      store.put(at("a"), streamOf(a)),
    ]);
    await Promise.all(changes.flat());
    for (const path of ["a", "b"]) {
      const read = Buffer.concat(await Array.fromAsync(store.get(at(path))));
      expect(read.equals(a) || read.equals(b)).toBe(true);
    }
    await until(async () => (await countOf(own.database, "object_versions")) === 2);
  });

  test("An object of any size is copied a few parts a statement.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    const chunks = partsPerStatement * 3 + 1;
    await objectOfChunks(own.database, "a", chunks);
    await refuseMoreChunks(own.database, "INSERT", partsPerStatement);
    expect(await store.copy(at("a"), at("b"))).toMatchObject({ locator: at("b"), size: chunks });
    const copied = "(SELECT version FROM objects WHERE path = 'b')";
    const asTheyWere = "content = 'x' AND checksum = 0 AND first_offset BETWEEN 0 AND 48";
    expect(await countOf(own.database, `object_chunks WHERE version = ${copied} AND ${asTheyWere}`)).toBe(chunks);
  });

  test("A copy of a few chunks is one statement, and waits for no long read.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1, connectionTimeoutMs: 200 });
    await using store = new PostgresObjectStore(own.database);
    await objectOfChunks(own.database, "a", partsPerStatement);
    await objectOfChunks(own.database, "b", 3);
    await using _reader = await own.database.snapshot();
    expect(await store.copy(at("a"), at("b"))).toMatchObject({ locator: at("b"), size: partsPerStatement });
    await leaves(own.database, [0, 0, 2, 2 * partsPerStatement]);
    expect((await store.head(at("b"))).etag).not.toBe((await store.head(at("a"))).etag);
  });

  test("A copy is whole whatever becomes of its source meanwhile.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    const chunks = partsPerStatement * 3 + 1;
    await objectOfChunks(own.database, "a", chunks);
    await pauseAfterInserts(own.database);
    await withClient(own.config, async (other) => {
      await other.query("SELECT pg_advisory_lock($1)", [pauseLock]);
      const copying = store.copy(at("a"), at("b"));
      const pausing = `pg_locks WHERE locktype = 'advisory' AND objid = ${pauseLock} AND NOT granted`;
      await until(async () => (await countOf(own.database, pausing)) === 1);
      await store.delete(at("a"));
      await until(async () => (await countOf(own.database, "object_chunks")) === 0);
      await other.query("SELECT pg_advisory_unlock_all()");
      await copying;
    });
    expect(await countOf(own.database, "object_chunks")).toBe(chunks);
  });

  test("A copy of what is not there leaves nothing.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await expect(store.copy(at("a"), at("b"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await leaves(own.database, [0, 0, 0, 0]);
  });

  test("Slow sources keep no connection from anybody.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1, connectionTimeoutMs: 2000 });
    await using store = new PostgresObjectStore(own.database);
    const sources = Array.from({ length: 5 }, () => held([randomBytes(longBytes)], []));
    const puts = sources.map((source, index) => store.put(at(`${index}`), source.stream));
    await Promise.all(sources.map((source) => source.waiting));
    await store.put(at("meanwhile"), streamOf(Buffer.from("x")));
    for (const source of sources) source.release();
    await Promise.all(puts);
  });

  test("What an upload left that wrote nothing for a day is removed by the next; others go on.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await own.database.query(
      "INSERT INTO object_versions (pending_since) VALUES (now() - interval '25 hours'), (now() - interval '23 hours')",
      [],
    );
    await store.put(at("a"), streamOf(randomBytes(longBytes)));
    await until(async () => (await countOf(own.database, "object_versions WHERE pending_since IS NOT NULL")) === 1);
  });

  test("An upload whose parts were removed meanwhile is CONFLICT, and nothing is stored.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    using source = held([randomBytes(longBytes)], []);
    const putting = store.put(at("a"), source.stream);
    await until(async () => (await countOf(own.database, "object_versions")) === 1);
    await source.waiting;
    await own.database.query("DELETE FROM object_versions", []);
    source.release();
    await expect(putting).rejects.toMatchObject({ reason: "CONFLICT" });
    await expect(store.head(at("a"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  test("An upload whose parts are about to be removed is not published.", async () => {
    await using own = await testDatabase(server());
    await using remover = new PartsRemover(own.database, objectTables);
    const writer = new PartsWriter(own.database, remover, "pg://bucket/a", undefined);
    writer.add({ firstOffset: 0, content: Buffer.from("a") });
    await writer.flush();
    await own.database.query("UPDATE object_versions SET pending_since = 'infinity'", []);
    const publishing = writer.publish(insertObject, ["bucket", "a", 1, 1, "etag"]);
    await expect(publishing).rejects.toMatchObject({ reason: "CONFLICT" });
    expect(await countOf(own.database, "objects")).toBe(0);
  });

  test("An object that has lost a chunk is CORRUPT, whether it is read at once or by and by.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    await store.put(at("a"), streamOf(randomBytes(longBytes)));
    await own.database.query("DELETE FROM object_chunks WHERE first_offset = $1", [objectChunkBytes]);
    for (const range of [{ offset: objectChunkBytes, length: 1 }, { offset: 0 }]) {
      await expect(Array.fromAsync(store.get(at("a"), range))).rejects.toMatchObject({ reason: "CORRUPT" });
    }
  });
});

const pauseLock = 7;

/** Has every statement that inserts chunks wait before it ends, while somebody holds the lock. */
async function pauseAfterInserts(database: PostgresDatabase): Promise<void> {
  await database.query(
    `CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock_shared(${pauseLock});
        RETURN NULL;
      END
    $$`,
    [],
  );
  const each = "AFTER INSERT ON object_chunks FOR EACH ROW EXECUTE FUNCTION pause()";
  await database.query(`CREATE TRIGGER paused ${each}`, []);
}

/** Waits until there are just these rows of versions and parts, of manifests and of objects. */
async function leaves(database: PostgresDatabase, rows: readonly number[]): Promise<void> {
  const tables = ["manifest_versions", "manifest_pages", "object_versions", "object_chunks"];
  const left = () => Promise.all(tables.map((table) => countOf(database, table)));
  await until(async () => (await left()).join() === rows.join());
}

/** A manifest of one block over and over. */
async function manifest(store: PostgresManifestStore): Promise<{ key: Key; pages: ManifestPage[] }> {
  const block: Key = { algorithm: "blake3", digest: randomBytes(32).toString("hex"), size: 10 };
  await store.recordBlocks([block]);
  const entries = Array.from({ length: longPages * manifestPageEntries }, (_, index) => ({
    index,
    offset: index * block.size,
    block,
  }));
  const pages = Array.from({ length: longPages }, (_, page) =>
    entries.slice(page * manifestPageEntries, (page + 1) * manifestPageEntries),
  );
  return { key: { ...block, digest: randomBytes(32).toString("hex"), size: entries.length * block.size }, pages };
}
