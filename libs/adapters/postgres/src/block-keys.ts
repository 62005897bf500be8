import { setImmediate } from "node:timers/promises";
import { checkKeyInto, digestBytes, formatKey, hashAlgorithms, type Key } from "@graviton/ports/key";
import { blockBytesMax } from "@graviton/ports/limits";
import { checkKeyCount } from "@graviton/ports/presence";
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

/**
 * Those of the keys that nobody recorded, in the order asked. One statement, whatever their number.
 *
 * @throws StorageError INVALID_ARGUMENT for a malformed key; TOO_LARGE over `keysPerCallMax`
 */
export async function findMissing(
  database: PostgresDatabase,
  keys: readonly Key[],
  signal?: AbortSignal,
): Promise<Key[]> {
  const { asked, blocks } = packed(keys);
  if (asked.length === 0) return [];
  const answer = database.query<{ found: Buffer | null }>(findStatement, [startsOf(blocks)], signal);
  // By then the question is sent: the places are looked up while Postgres is at work.
  const [{ rows }, places] = await Promise.all([answer, setImmediate(blocks).then(placesOf)]);
  const isKnown = knownAmong(blocks, places, rows[0]?.found ?? Buffer.alloc(0));
  return asked.filter((_, place) => isKnown[place] === 0);
}

/**
 * Records the keys.
 *
 * @throws StorageError INVALID_ARGUMENT for a malformed key, and for one that no block has; TOO_LARGE over
 *   `keysPerCallMax`
 */
export async function record(database: PostgresDatabase, keys: readonly Key[], signal?: AbortSignal): Promise<void> {
  const { asked, blocks } = packed(keys);
  const impossible = asked.find(({ size }) => size < 1 || size > blockBytesMax);
  if (impossible !== undefined) {
    const resource = formatKey(impossible);
    throw new StorageError("INVALID_ARGUMENT", `${resource} is no block: a block has 1 to ${blockBytesMax} bytes`, {
      resource,
    });
  }
  if (asked.length === 0) return;
  await database.query(recordStatement, [blocks], signal);
}

/** The keys, checked, and as blocks in memory of its own, which can be read by words. */
function packed(keys: readonly Key[]): { readonly asked: readonly Key[]; readonly blocks: Buffer } {
  checkKeyCount(keys.length);
  const blocks = Buffer.allocUnsafeSlow(keys.length * packedBytes);
  const asked = keys.map((given, place) => {
    const at = place * packedBytes;
    const key = checkKeyInto(given, blocks, at);
    // The last digit is the algorithm. 0, which no block has, stands for an impossible size.
    const variant = key.size > blockBytesMax ? 0 : key.size * 10 + hashAlgorithms.indexOf(key.algorithm);
    blocks.writeInt32BE(variant, at + digestBytes);
    return key;
  });
  return { asked, blocks };
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

/** The places of blocks by the first four bytes of their digests: many times faster than by keys of text. */
interface Places {
  readonly last: ReadonlyMap<number, number>;
  /** Of each place the one before it whose block begins alike, or -1. By chance once in four thousand million times. */
  readonly before: Int32Array;
}

function placesOf(blocks: Buffer): Places {
  const last = new Map<number, number>();
  const before = new Int32Array(blocks.length / packedBytes);
  for (let place = 0; place < before.length; place += 1) {
    const start = blocks.readInt32BE(place * packedBytes);
    before[place] = last.get(start) ?? -1;
    last.set(start, place);
  }
  return { last, before };
}

/** 1 at the place of each block that is among the others. */
function knownAmong(blocks: Buffer, { last, before }: Places, others: Buffer): Uint8Array {
  const isKnown = new Uint8Array(before.length);
  for (let at = 0; at < others.length; at += packedBytes) {
    let place = last.get(others.readInt32BE(at)) ?? -1;
    for (; place >= 0; place = before[place] as number) {
      if (isSame(blocks, place * packedBytes, others, at)) isKnown[place] = 1;
    }
  }
  return isKnown;
}

/** Whether two packed blocks, each from an offset on, are one. Word by word, where `compare` costs more than it compares. */
function isSame(blocks: Buffer, from: number, others: Buffer, at: number): boolean {
  for (let offset = 0; offset < packedBytes; offset += 4) {
    if (blocks.readInt32BE(from + offset) !== others.readInt32BE(at + offset)) return false;
  }
  return true;
}
