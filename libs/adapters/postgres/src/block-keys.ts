import { digestBytes, formatKey, hashAlgorithms, type Key } from "@graviton/ports/key";
import { blockBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import type { PostgresDatabase } from "./database.ts";
import { integerArray } from "./integer-array.ts";

// Digests travel packed, in one parameter: all are of one length.
const asked = `generate_series(1, octet_length($1::bytea) / ${digestBytes}) AS asked (at)`;
const digest = `substring($1::bytea FROM ${digestBytes} * (at - 1) + 1 FOR ${digestBytes})`;

// Size and algorithm as one number, from the array that is the other parameter.
const variant = "($2::integer[])[at]";

// A subquery in the list of results is answered by one probe of the index a key, however large the table. The probe
// looks for the digest alone, which is cheaper; size and algorithm are compared where there is one.
const findMissingStatement = `SELECT string_agg((at - 1)::text, ',') AS missing FROM (
    SELECT at, (
      SELECT true FROM blocks WHERE blocks.digest = ${digest} AND blocks.size * 10 + blocks.algorithm = ${variant}
    ) AS found FROM ${asked} OFFSET 0
  ) AS answers WHERE found IS NULL`;

// In the order of the index, so that no two callers wait for each other.
const recordStatement = `INSERT INTO blocks (digest, size, algorithm)
  SELECT ${digest}, ${variant} / 10, ${variant} % 10 FROM ${asked} ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`;

/** Those of the keys that nobody recorded, in the order asked. One statement, whatever their number. */
export async function findMissing(
  database: PostgresDatabase,
  keys: readonly Key[],
  signal?: AbortSignal,
): Promise<Key[]> {
  if (keys.length === 0) return [];
  const { order, parameters } = packed(keys);
  const { rows } = await database.query<{ missing: string | null }>(findMissingStatement, parameters, signal);
  const isMissing = new Uint8Array(keys.length);
  for (const at of rows[0]?.missing?.split(",") ?? []) isMissing[order[Number(at)] as number] = 1;
  return keys.filter((_, place) => isMissing[place] === 1);
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
  if (keys.length === 0) return;
  await database.query(recordStatement, packed(keys).parameters, signal);
}

/** The parameters of both statements, and the place that each key of theirs has among the keys. */
function packed(keys: readonly Key[]): { order: Float64Array; parameters: Buffer[] } {
  const digests = Buffer.from(keys.map(({ digest }) => digest).join(""), "hex");
  const order = orderOf(digests);
  const ordered = Buffer.allocUnsafe(digests.length);
  const variants = new Int32Array(keys.length);
  for (let at = 0; at < order.length; at += 1) {
    const place = order[at] as number;
    digests.copy(ordered, digestBytes * at, digestBytes * place, digestBytes * (place + 1));
    variants[at] = variantOf(keys[place] as Key);
  }
  return { order, parameters: [ordered, integerArray(variants)] };
}

/** The last digit is the algorithm, those before it are the size. 0, which no block has, stands for an impossible size. */
function variantOf({ size, algorithm }: Key): number {
  return size > blockBytesMax ? 0 : size * 10 + hashAlgorithms.indexOf(algorithm);
}

/**
 * The places of the digests in their order, or nearly: by their first four bytes. Probes in the order of the index find
 * its upper pages, and often the lower ones, in the processor's cache.
 */
function orderOf(digests: Buffer): Float64Array {
  const ranks = new Float64Array(digests.length / digestBytes);
  for (let at = 0; at < ranks.length; at += 1) ranks[at] = digests.readUInt32BE(digestBytes * at) * placesMax + at;
  return ranks.sort().map((rank) => rank % placesMax);
}

/** Four bytes and a place below this make one number that JavaScript holds exactly. */
const placesMax = 2 ** 20;
