import { randomUUID } from "node:crypto";
import type { Locator } from "@graviton/ports/locator";
import { objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
import type { PostgresDatabase } from "./database.ts";
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

/** Gives a version its name. The version that had it before is removed by a trigger. */
export const replaceObject = `${insertObject}
  ON CONFLICT (bucket, path) DO UPDATE SET
    version = excluded.version, size = excluded.size, modified_at = excluded.modified_at, etag = excluded.etag`;

// One statement sees one moment: the source may be replaced meanwhile and is copied whole all the same.
const copyStatement = `WITH source AS (SELECT version, size FROM objects WHERE bucket = $5 AND path = $6),
  version AS (INSERT INTO object_versions (pending_since) SELECT NULL FROM source RETURNING id),
  chunks AS (
    INSERT INTO object_chunks (version, first_offset, content, checksum)
    SELECT version.id, first_offset, content, checksum
    FROM version, source JOIN object_chunks AS copied ON copied.version = source.version
  )
  INSERT INTO objects (bucket, path, version, size, modified_at, etag)
  SELECT $1, $2, version.id, size, $3, $4 FROM version, source
  ON CONFLICT (bucket, path) DO UPDATE SET
    version = excluded.version, size = excluded.size, modified_at = excluded.modified_at, etag = excluded.etag
  RETURNING *`;

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

/** @throws StorageError NOT_FOUND */
export async function copyObject(
  database: PostgresDatabase,
  from: Locator,
  to: Locator,
  modifiedAt: number,
  signal?: AbortSignal,
): Promise<ObjectInfo> {
  const parameters = [to.bucket, to.path, modifiedAt, randomUUID(), from.bucket, from.path];
  const { rows } = await database.query<ObjectRow>(copyStatement, parameters, signal);
  if (rows[0] === undefined) throw objectNotFound(from);
  return infoOf(rows[0]);
}

export function infoOf({ bucket, path, size, modified_at, etag }: ObjectRow): ObjectInfo {
  return { locator: { scheme: "pg", bucket, path }, size, modifiedAt: modified_at, etag };
}
