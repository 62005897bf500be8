import { StorageError } from "./storage-error.ts";

/** The hash algorithms that may name content. */
export const hashAlgorithms = ["blake3", "sha256"] as const;

/** `blake3` (https://github.com/BLAKE3-team/BLAKE3-specs) or `sha256` (FIPS 180-4); both give 32 bytes. */
export type HashAlgorithm = (typeof hashAlgorithms)[number];

/** Length of a digest in bytes, the same for every algorithm. */
export const digestBytes = 32;

/**
 * The name of content: what its bytes hash to, and how many they are. The size is part of the identity, so the
 * right digest with a wrong size is a different key that no content has.
 */
export interface Key {
  readonly algorithm: HashAlgorithm;
  /** 64 lower-case hexadecimal digits. */
  readonly digest: string;
  /** Bytes, from 0 to 2^53 - 1. */
  readonly size: number;
}

const digestLength = digestBytes * 2;
const sizePattern = /^(0|[1-9][0-9]{0,15})$/;

// The value of each digit at its code, and elsewhere what makes every pair with it negative. A regular expression is
// slower, and calls bring thousands of keys.
const digits = new Int16Array(128).fill(-256);
for (const [value, digit] of [..."0123456789abcdef"].entries()) digits[digit.charCodeAt(0)] = value;

const nowhere = new Uint8Array(digestBytes);

/** True for a digest, whose bytes are then at their place. */
function decodeDigest(text: string, bytes: Uint8Array, offset: number): boolean {
  if (text.length !== digestLength) return false;
  for (let at = 0; at < digestLength; at += 2) {
    // A code beyond the table gives NaN.
    const byte = (digits[text.charCodeAt(at)] as number) * 16 + (digits[text.charCodeAt(at + 1)] as number);
    if (!(byte >= 0)) return false;
    bytes[offset + at / 2] = byte;
  }
  return true;
}

/** True for the name of an algorithm that may name content. */
export function isHashAlgorithm(text: string): text is HashAlgorithm {
  return (hashAlgorithms as readonly string[]).includes(text);
}

/**
 * Makes a key of its three parts.
 *
 * @throws StorageError INVALID_ARGUMENT when a part is malformed
 */
export function makeKey(algorithm: string, digest: string, size: number): Key {
  return makeKeyInto(algorithm, digest, size, nowhere, 0);
}

function makeKeyInto(algorithm: string, digest: string, size: number, bytes: Uint8Array, offset: number): Key {
  if (!isHashAlgorithm(algorithm)) {
    throw invalid(`unknown hash algorithm ${quote(algorithm)}: use ${hashAlgorithms.join(" or ")}`, algorithm);
  }
  if (typeof digest !== "string" || !decodeDigest(digest, bytes, offset)) {
    throw invalid(`malformed digest ${quote(digest)}: expected 64 lower-case hexadecimal digits`, digest);
  }
  if (!Number.isSafeInteger(size) || size < 0) {
    throw invalid(`malformed size ${quote(String(size))}: expected a whole number of bytes, 0 or more`, String(size));
  }
  return { algorithm, digest, size };
}

/**
 * Reads the text form, `algorithm:digest:size`. Total: any string gives a key or INVALID_ARGUMENT.
 *
 * @throws StorageError INVALID_ARGUMENT
 */
export function parseKey(text: string): Key {
  const parts = typeof text === "string" ? text.split(":") : [];
  const [algorithm, digest, size] = parts;
  if (parts.length !== 3 || algorithm === undefined || digest === undefined || size === undefined) {
    throw invalid(`malformed key ${quote(text)}: expected algorithm:digest:size`, text);
  }
  if (!sizePattern.test(size)) {
    throw invalid(`malformed key ${quote(text)}: the size must be a whole number of bytes`, text);
  }
  return makeKey(algorithm, digest, Number(size));
}

/** Writes the text form, `blake3:<64 hexadecimal digits>:<size>`. `parseKey(formatKey(k))` equals `k`. */
export function formatKey(key: Key): string {
  return `${key.algorithm}:${key.digest}:${key.size}`;
}

/** True when both name the same content. */
export function keysEqual(a: Key, b: Key): boolean {
  return a.size === b.size && a.digest === b.digest && a.algorithm === b.algorithm;
}

/**
 * Checks a key that came from outside the type system, and returns it.
 *
 * @throws StorageError INVALID_ARGUMENT
 */
export function checkKey(key: Key): Key {
  return checkKeyInto(key, nowhere, 0);
}

/**
 * Checks a key likewise, and writes the bytes of its digest from the offset on: in one pass over its digits.
 *
 * @throws StorageError INVALID_ARGUMENT, having written anything
 */
export function checkKeyInto(key: Key, bytes: Uint8Array, offset: number): Key {
  return makeKeyInto(key?.algorithm, key?.digest, key?.size, bytes, offset);
}

function invalid(message: string, resource: unknown): StorageError {
  return new StorageError("INVALID_ARGUMENT", message, { resource: String(resource).slice(0, 200) });
}

function quote(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 100));
}
