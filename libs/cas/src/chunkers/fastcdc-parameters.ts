import { createHash } from "node:crypto";

/**
 * The gear table: for each byte the first eight bytes, big-endian, of the MD5 of 64 copies of it, exclusive-ored with
 * the seed.
 */
export function gearTable(seed: bigint): BigUint64Array {
  return gear.map((entry) => entry ^ seed);
}

const gear = BigUint64Array.from({ length: 256 }, (_, byte) =>
  createHash("md5").update(Buffer.alloc(64, byte)).digest().readBigUInt64BE(),
);

/** A block may end where all bits of the mask are zero in the hash. */
export interface Masks {
  /** Before the average: more bits, so that fewer blocks end there. */
  readonly strict: bigint;
  /** From the average on: fewer bits. */
  readonly loose: bigint;
}

/**
 * The masks for an average size that a plan may have. The normalization, 0 to 3, is how many bits each differs from the
 * one in the middle.
 */
export function selectMasks(averageBytes: number, normalization: number): Masks {
  const bits = Math.round(Math.log2(averageBytes));
  return { strict: masks[bits + normalization - 7] as bigint, loose: masks[bits - normalization - 7] as bigint };
}

/**
 * Masks for blocks of 2^7 bytes, 2^8 and so on. Constants of the algorithm: those up to 2^17 come from the authors'
 * implementation in destor, the others from restic-FastCDC; the Rust crate `fastcdc`, module `v2020`, which the Remote
 * Execution API names, publishes them as one table.
 */
const masks = [
  0x0000000018035100n,
  0x0000001800035300n,
  0x0000019000353000n,
  0x0000590003530000n,
  0x0000d90003530000n,
  0x0000d90103530000n,
  0x0000d90303530000n,
  0x0000d90313530000n,
  0x0000d90f03530000n,
  0x0000d90303537000n,
  0x0000d90703537000n,
  0x0000d90707537000n,
  0x0000d91707537000n,
  0x0000d91747537000n,
  0x0000d91767537000n,
  0x0000d93767537000n,
  0x0000d93777537000n,
  0x0000d93777577000n,
  0x0000db3777577000n,
] as const;
