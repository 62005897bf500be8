import type { Locator } from "@graviton/ports/locator";
import type { PostgresDatabase } from "../database.ts";
import { countOf } from "./test-database.ts";

/** The place of an object. */
export function at(path: string): Locator {
  return { scheme: "pg", bucket: "bucket", path };
}

/** Rows of versions and chunks, `2,5`. */
export async function rowsOfObjects(database: PostgresDatabase): Promise<string> {
  return [await countOf(database, "object_versions"), await countOf(database, "object_chunks")].join();
}

/** Stores an object past the store, in chunks of one byte. */
export async function objectOfChunks(database: PostgresDatabase, path: string, chunks: number): Promise<void> {
  await database.query(
    `${versionOfChunks("DEFAULT VALUES")} INSERT INTO objects SELECT 'bucket', $2, id, $1, 1, 'etag' FROM version`,
    [chunks, path],
  );
}

/** Leaves what an upload left that wrote nothing for more than a day. */
export async function expiredUpload(database: PostgresDatabase, chunks: number): Promise<void> {
  const version = "(pending_since) VALUES (now() - interval '25 hours')";
  await database.query(`${versionOfChunks(version)} SELECT FROM version`, [chunks]);
}

/** Has Postgres refuse every statement that inserts or deletes more chunks than that. */
export async function refuseMoreChunks(
  database: PostgresDatabase,
  change: "INSERT" | "DELETE",
  chunksMax: number,
  which = "true",
): Promise<void> {
  await database.query(
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF (SELECT count(*) FROM changed WHERE ${which}) > ${chunksMax} THEN RAISE EXCEPTION 'too many'; END IF;
        RETURN NULL;
      END
    $$`,
    [],
  );
  await database.query(
    `CREATE TRIGGER refused AFTER ${change} ON object_chunks
      REFERENCING ${change === "DELETE" ? "OLD" : "NEW"} TABLE AS changed
      FOR EACH STATEMENT EXECUTE FUNCTION refuse()`,
    [],
  );
}

/** The beginning of a statement: a version, and as many chunks of one byte as its first parameter says. */
function versionOfChunks(version: string): string {
  return `WITH version AS (INSERT INTO object_versions ${version} RETURNING id), chunks AS (
    INSERT INTO object_chunks
    SELECT id, first_offset, 'x', 0 FROM version, generate_series(0, $1::bigint - 1) AS first_offset
  )`;
}
