import { digestBytes, formatKey, hashAlgorithms, type Key } from "@graviton/ports/key";
import { blockBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import { bigintArray, wordsOf } from "./bigint-array.ts";
import type { PostgresDatabase } from "./database.ts";

/** A packed block: its digest, then size and algorithm as one integer. */
const packedBytes = digestBytes + 4;

const findStatement = "SELECT blocks_that_start($1) AS found";

// In one order, for all versions of this statement, so that no two callers wait for each other in a circle.
const recordStatement = `INSERT INTO blocks (digest, size, algorithm)
  SELECT digest, variant / 10, variant % 10 FROM (
    SELECT
      substring($1 FROM at FOR ${digestBytes}) AS digest,
      ('x' || encode(substring($1 FROM at + ${digestBytes} FOR 4), 'hex'))::bit(32)::integer AS variant
    FROM generate_series(1, octet_length($1::bytea), ${packedBytes}) AS at
  ) AS given ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`;

/** Those of the keys that nobody recorded, in the order asked. One statement, whatever their number. */
export async function findMissing(
  database: PostgresDatabase,
  keys: readonly Key[],
  signal?: AbortSignal,
): Promise<Key[]> {
  if (keys.length === 0) return [];
  const asked = packed(keys);
  const { rows } = await database.query<{ found: Buffer | null }>(findStatement, [startsOf(asked)], signal);
  const isKnown = knownAmong(asked, rows[0]?.found ?? Buffer.alloc(0));
  return keys.filter((_, place) => isKnown[place] === 0);
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
  await database.query(recordStatement, [packed(keys)], signal);
}

/** In memory of its own, which can be read by words. */
function packed(keys: readonly Key[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(keys.length * packedBytes);
  for (const [place, { algorithm, digest, size }] of keys.entries()) {
    const at = place * packedBytes;
    bytes.write(digest, at, "hex");
    // The last digit is the algorithm. 0, which no block has, stands for an impossible size.
    const variant = size > blockBytesMax ? 0 : size * 10 + hashAlgorithms.indexOf(algorithm);
    bytes.writeInt32BE(variant, at + digestBytes);
  }
  return bytes;
}

/** The first eight bytes of each digest. In order, which Postgres notices, and else it sorts them itself and slower. */
function startsOf(blocks: Buffer): Buffer {
  const starts = new BigInt64Array(blocks.length / packedBytes);
  const bytes = Buffer.from(starts.buffer);
  const [from, to] = [wordsOf(blocks), wordsOf(bytes)];
  for (let at = 0, word = 0; at < to.length; at += 2, word += packedBytes / 4) {
    to[at] = from[word] as number;
    to[at + 1] = from[word + 1] as number;
  }
  bytes.swap64();
  starts.sort();
  bytes.swap64();
  return bigintArray(bytes);
}

/** 1 at the place of each block that is among the others. */
function knownAmong(blocks: Buffer, others: Buffer): Uint8Array {
  const count = blocks.length / packedBytes;
  // Places by the first four bytes, each with the one before it that begins alike: many times faster than keys of text.
  // Digests begin alike by chance once in four thousand million times.
  const lastPlace = new Map<number, number>();
  const placeBefore = new Int32Array(count);
  for (let place = 0; place < count; place += 1) {
    const start = blocks.readInt32BE(place * packedBytes);
    placeBefore[place] = lastPlace.get(start) ?? -1;
    lastPlace.set(start, place);
  }
  const isKnown = new Uint8Array(count);
  for (let at = 0; at < others.length; at += packedBytes) {
    let place = lastPlace.get(others.readInt32BE(at)) ?? -1;
    for (; place >= 0; place = placeBefore[place] as number) {
      const from = place * packedBytes;
      if (blocks.compare(others, at, at + packedBytes, from, from + packedBytes) === 0) isKnown[place] = 1;
    }
  }
  return isKnown;
}
