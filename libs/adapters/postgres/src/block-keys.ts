import { formatKey, hashAlgorithms, type Key } from "@graviton/ports/key";
import { blockBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import type { PostgresDatabase } from "./database.ts";

// Digests travel packed, in one parameter: as an array of bytes each of them would be text.
const asked = `unnest($2::bigint[], $3::smallint[]) WITH ORDINALITY AS asked (size, algorithm, at)`;
const digest = "substring($1::bytea FROM 32 * (at::integer - 1) + 1 FOR 32)";

// A subquery in the list of results is answered by one probe of the index a key, however large the table.
const findMissingStatement = `SELECT at::integer - 1 AS at FROM (
    SELECT at, (
      SELECT true FROM blocks
      WHERE blocks.digest = ${digest} AND blocks.size = asked.size AND blocks.algorithm = asked.algorithm
    ) AS found FROM ${asked} OFFSET 0
  ) AS answers WHERE found IS NULL ORDER BY at`;

// In the order of the index, so that no two callers wait for each other.
const recordStatement = `INSERT INTO blocks (digest, size, algorithm)
  SELECT ${digest}, size, algorithm FROM ${asked} ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`;

/** Those of the keys that nobody recorded, in the order asked. One statement, whatever their number. */
export async function findMissing(
  database: PostgresDatabase,
  keys: readonly Key[],
  signal?: AbortSignal,
): Promise<Key[]> {
  if (keys.length === 0) return [];
  const { rows } = await database.query<{ at: number }>(findMissingStatement, packed(keys), signal);
  return rows.map(({ at }) => keys[at] as Key);
}

/**
 * Records the keys.
 *
 * @throws StorageError INVALID_ARGUMENT for a key that no block has
 */
export async function record(database: PostgresDatabase, keys: readonly Key[], signal?: AbortSignal): Promise<void> {
  const impossible = keys.find(({ size }) => size < 1 || size > blockBytesMax);
  if (impossible !== undefined) {
    const resource = formatKey(impossible);
    throw new StorageError("INVALID_ARGUMENT", `${resource} is no block: a block has 1 to ${blockBytesMax} bytes`, {
      resource,
    });
  }
  if (keys.length > 0) await database.query(recordStatement, packed(keys), signal);
}

function packed(keys: readonly Key[]): unknown[] {
  return [
    Buffer.from(keys.map((key) => key.digest).join(""), "hex"),
    keys.map(({ size }) => size),
    keys.map(({ algorithm }) => hashAlgorithms.indexOf(algorithm)),
  ];
}
