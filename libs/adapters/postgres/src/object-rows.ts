import type { Locator } from "@graviton/ports/locator";
import { objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
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

/** Gives a version its name, and tells whether another had it before, which a trigger leaves to be removed. */
export const replaceObject = `${insertObject}
  ON CONFLICT (bucket, path) DO UPDATE SET
    version = excluded.version, size = excluded.size, modified_at = excluded.modified_at, etag = excluded.etag
  RETURNING EXISTS (SELECT FROM objects AS former WHERE former.bucket = $1 AND former.path = $2) AS replaced`;

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
