import type { Locator } from "@graviton/ports/locator";
import { objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
import { partsPerStatement } from "./limits.ts";
import type { PartTables } from "./parts.ts";
import type { Rows } from "./session.ts";

/** Where the bytes of objects are. */
export const objectTables: PartTables = { versions: "object_versions", parts: "object_chunks" };

/** An object without its bytes. */
export interface ObjectRow {
  readonly bucket: string;
  readonly path: string;
  readonly version: number;
  readonly size: number;
  readonly modified_at: number;
  readonly etag: string;
}

/** Gives a version its name; the name must be free. */
export const insertObject = `INSERT INTO objects (bucket, path, version, size, modified_at, etag)
  SELECT $1, $2, version.id, $3, $4, $5 FROM version`;

const orReplace = `ON CONFLICT (bucket, path) DO UPDATE SET
    version = excluded.version, size = excluded.size, modified_at = excluded.modified_at, etag = excluded.etag
  RETURNING *, EXISTS (
    SELECT FROM objects AS former JOIN object_chunks AS chunk ON chunk.version = former.version
    WHERE former.bucket = $1 AND former.path = $2 OFFSET ${partsPerStatement}
  ) AS left_over`;

/** Gives a version its name, and tells whether the one that had it is so long that a trigger leaves it to be removed. */
export const replaceObject = `${insertObject} ${orReplace}`;

const isLong = `EXISTS (
    SELECT FROM object_chunks AS chunk WHERE chunk.version = objects.version OFFSET ${partsPerStatement}
  )`;

/** Takes the name from a version, and tells as {@link replaceObject}. */
export const deleteObject = `DELETE FROM objects WHERE bucket = $1 AND path = $2 RETURNING ${isLong} AS left_over`;

/**
 * Copies an object that is there and short enough for one statement, which sees one moment: the source may be replaced
 * meanwhile and is copied whole all the same. Gives no row for any other, and tells as {@link replaceObject}.
 */
export const copyShortObject = `WITH source AS (
    SELECT version, size FROM objects WHERE bucket = $5 AND path = $6 AND NOT ${isLong}
  ),
  version AS (INSERT INTO object_versions (pending_since) SELECT NULL FROM source RETURNING id),
  chunks AS (
    INSERT INTO object_chunks (version, first_offset, content, checksum)
    SELECT version.id, first_offset, content, checksum
    FROM version, source JOIN object_chunks AS chunk ON chunk.version = source.version
  )
  INSERT INTO objects (bucket, path, version, size, modified_at, etag)
  SELECT $1, $2, version.id, source.size, $3, $4 FROM version, source
  ${orReplace}`;

/** @throws StorageError NOT_FOUND */
export async function findObject(
  reader: { query(statement: string, parameters: unknown[], signal?: AbortSignal): Promise<Rows<object>> },
  locator: Locator,
  signal?: AbortSignal,
): Promise<ObjectRow> {
  const statement = "SELECT * FROM objects WHERE bucket = $1 AND path = $2";
  const { rows } = await reader.query(statement, [locator.bucket, locator.path], signal);
  if (rows[0] === undefined) throw objectNotFound(locator);
  return rows[0] as ObjectRow;
}

export function infoOf({ bucket, path, size, modified_at, etag }: ObjectRow): ObjectInfo {
  return { locator: { scheme: "pg", bucket, path }, size, modifiedAt: modified_at, etag };
}
