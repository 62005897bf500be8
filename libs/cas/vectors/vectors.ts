import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** One case of `fastcdc.json`; the README beside it tells what the fields mean. */
export interface Vector {
  readonly input: "random" | "letters" | "counting" | "zeros";
  readonly length: number;
  readonly averageBytes: number;
  readonly minimumBytes: number;
  readonly maximumBytes: number;
  readonly normalization: number;
  /** A decimal number, which may take 64 bits. */
  readonly seed: string;
  readonly sweep?: true;
  readonly blocks?: readonly number[];
  readonly count?: number;
  readonly sha256?: string;
}

/** All of `fastcdc.json`. */
export const fastCdcVectors = JSON.parse(readFileSync(new URL("./fastcdc.json", import.meta.url), "utf8")) as {
  /** The 256 entries, 16 hexadecimal digits each. */
  readonly gear: readonly string[];
  readonly cases: readonly Vector[];
};

/** The first bytes of an input that a vector names. */
export function makeInput(input: Vector["input"], length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const next = xorshift32();
  if (input === "random") for (let at = 0; at < length; at += 4) writeWord(bytes, at, next());
  if (input === "letters") for (let at = 0; at < length; at += 1) bytes[at] = 0x61 + (next() >>> 28);
  if (input === "counting") for (let at = 0; at < length; at += 1) bytes[at] = at % 251;
  return bytes;
}

/** The digest of block lengths that a vector gives in place of the lengths. */
export function digestOf(lengths: readonly number[]): string {
  return createHash("sha256")
    .update(Buffer.from(Uint32Array.from(lengths).buffer))
    .digest("hex");
}

function writeWord(bytes: Buffer, at: number, word: number): void {
  for (let byte = 0; byte < 4; byte += 1) bytes[at + byte] = word >>> (8 * byte);
}

function xorshift32(): () => number {
  let state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
