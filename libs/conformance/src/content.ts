import assert from "node:assert/strict";
import { createHash, randomBytes, randomFillSync } from "node:crypto";
import type { Key } from "@graviton/ports/key";

/** The key of no bytes at all, from the BLAKE3 test vectors. */
export const blake3OfNothing: Key = {
  algorithm: "blake3",
  digest: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
  size: 0,
};

/** The key of the three bytes `abc`, as the official BLAKE3 implementation gives it. */
export const blake3OfAbc: Key = {
  algorithm: "blake3",
  digest: "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
  size: 3,
};

/** Bytes that nobody has stored before: a contract also runs on storage that is in use. */
export function freshBytes(size: number): Uint8Array {
  return randomFillSync(new Uint8Array(size));
}

/** The sha256 key of bytes. */
export function sha256KeyOf(bytes: Uint8Array): Key {
  return { algorithm: "sha256", digest: createHash("sha256").update(bytes).digest("hex"), size: bytes.length };
}

/** The key of content that nobody has stored before. */
export function freshKey(size = 1000): Key {
  return { algorithm: "sha256", digest: randomBytes(32).toString("hex"), size };
}

/** Fresh keys in byte order, with none of anybody else's between them. */
export function adjacentKeys(count: number, size = 1000): Key[] {
  const common = randomBytes(28).toString("hex");
  return Array.from({ length: count }, (_, index) => {
    return { algorithm: "sha256", digest: common + index.toString(16).padStart(8, "0"), size };
  });
}

/** A name that nobody has used before, for what is stored under names. */
export function freshName(): string {
  return `conformance/${randomBytes(16).toString("hex")}`;
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Texts in the order of their UTF-8 bytes. */
export function inByteOrder(texts: readonly string[]): string[] {
  return texts
    .map((text) => Buffer.from(text))
    .sort(Buffer.compare)
    .map(String);
}

/** Asserts that two runs of bytes are the same, without printing megabytes where they are not. */
export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array, what = "the bytes"): void {
  assert.ok(actual !== undefined, `${what} should be there`);
  assert.equal(actual.length, expected.length, `the length of ${what}`);
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.equal(at, -1, `${what} should be those that were stored; they differ at ${at}`);
}
