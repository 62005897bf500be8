import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Attributes, ConfirmedAttributes } from "@graviton/ports/attributes";
import { type ByteRange, type ByteSpan, wholeRange } from "@graviton/ports/byte-range";
import type { ListOptions } from "@graviton/ports/call-options";
import { type HashAlgorithm, type Key, makeKey } from "@graviton/ports/key";
import type { DuplicatePolicy } from "@graviton/ports/plan";
import { StorageError } from "@graviton/ports/storage-error";
import {
  type AttributesSchema,
  type ByteRangeSchema,
  type ByteSpanSchema,
  type ConfirmedAttributesSchema,
  type KeySchema,
  type Attributes as WireAttributes,
  type ByteRange as WireByteRange,
  type ByteSpan as WireByteSpan,
  type ConfirmedAttributes as WireConfirmedAttributes,
  DuplicatePolicy as WireDuplicatePolicy,
  HashAlgorithm as WireHashAlgorithm,
  type Key as WireKey,
} from "@graviton/proto/graviton/core/v1/core_pb";

const wireAlgorithms: Record<HashAlgorithm, WireHashAlgorithm> = {
  blake3: WireHashAlgorithm.BLAKE3,
  sha256: WireHashAlgorithm.SHA256,
};

/** The part of a message that a call cannot do without. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new StorageError("INVALID_ARGUMENT", `the request has no ${name}`);
  return value;
}

/** @throws StorageError INVALID_ARGUMENT for a count beyond 2^53 - 1, which no number holds exactly */
export function countFromWire(value: bigint, name: string): number {
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new StorageError("INVALID_ARGUMENT", `${name} ${value} is over ${Number.MAX_SAFE_INTEGER}`);
  }
  return Number(value);
}

export function algorithmToWire(algorithm: HashAlgorithm | undefined): WireHashAlgorithm {
  return algorithm === undefined ? WireHashAlgorithm.UNSPECIFIED : wireAlgorithms[algorithm];
}

/** Undefined where the sender left the choice open. */
export function algorithmFromWire(wire: WireHashAlgorithm): HashAlgorithm | undefined {
  if (wire === WireHashAlgorithm.UNSPECIFIED) return undefined;
  if (wire === WireHashAlgorithm.BLAKE3) return "blake3";
  if (wire === WireHashAlgorithm.SHA256) return "sha256";
  throw new StorageError("INVALID_ARGUMENT", `unknown hash algorithm ${wire}: use BLAKE3 or SHA256`);
}

export function keyToWire({ algorithm, digest, size }: Key): MessageInitShape<typeof KeySchema> {
  return { algorithm: algorithmToWire(algorithm), digest, size: BigInt(size) };
}

/** @throws StorageError INVALID_ARGUMENT for a key that is absent or malformed */
export function keyFromWire(wire: WireKey | undefined): Key {
  const { algorithm, digest, size } = required(wire, "key");
  const named = algorithmFromWire(algorithm);
  if (named === undefined) throw new StorageError("INVALID_ARGUMENT", "a key needs its algorithm: BLAKE3 or SHA256");
  return makeKey(named, digest, countFromWire(size, "size"));
}

export function rangeToWire({ offset, length }: ByteRange): MessageInitShape<typeof ByteRangeSchema> {
  return { offset: BigInt(offset), ...(length === undefined ? {} : { length: BigInt(length) }) };
}

/** The whole stream where the sender left it out. */
export function rangeFromWire(wire: WireByteRange | undefined): ByteRange {
  if (wire === undefined) return wholeRange;
  const offset = countFromWire(wire.offset, "offset");
  return wire.length === undefined ? { offset } : { offset, length: countFromWire(wire.length, "length") };
}

export function spanToWire({ start, end }: ByteSpan): MessageInitShape<typeof ByteSpanSchema> {
  return { start: BigInt(start), end: BigInt(end) };
}

export function spanFromWire(wire: WireByteSpan | undefined): ByteSpan {
  const { start, end } = required(wire, "span");
  return { start: countFromWire(start, "start"), end: countFromWire(end, "end") };
}

export function attributesToWire(attributes: Attributes): MessageInitShape<typeof AttributesSchema> {
  const { contentType = "", name = "", custom = {} } = attributes;
  return { contentType, name, custom: { ...custom } };
}

/** What is empty on the wire is absent in the port. */
export function attributesFromWire(wire: WireAttributes | undefined): Attributes {
  const { contentType = "", name = "", custom = {} } = wire ?? {};
  return {
    ...(contentType === "" ? {} : { contentType }),
    ...(name === "" ? {} : { name }),
    ...(Object.keys(custom).length === 0 ? {} : { custom: { ...custom } }),
  };
}

export function confirmedToWire(confirmed: ConfirmedAttributes): MessageInitShape<typeof ConfirmedAttributesSchema> {
  const { key, blockCount, createdAt } = confirmed;
  return { key: keyToWire(key), blockCount: BigInt(blockCount), createdAtMs: BigInt(Math.floor(createdAt)) };
}

export function confirmedFromWire(wire: WireConfirmedAttributes | undefined): ConfirmedAttributes {
  const { key, blockCount, createdAtMs } = required(wire, "confirmed attributes");
  return {
    key: keyFromWire(key),
    blockCount: countFromWire(blockCount, "block count"),
    createdAt: countFromWire(createdAtMs, "time"),
  };
}

export function duplicatesToWire(duplicates: DuplicatePolicy | undefined): WireDuplicatePolicy {
  return duplicates === "rewrite" ? WireDuplicatePolicy.REWRITE : WireDuplicatePolicy.SKIP;
}

export function duplicatesFromWire(wire: WireDuplicatePolicy): DuplicatePolicy {
  if (wire === WireDuplicatePolicy.REWRITE) return "rewrite";
  if (wire === WireDuplicatePolicy.SKIP || wire === WireDuplicatePolicy.UNSPECIFIED) return "skip";
  throw new StorageError("INVALID_ARGUMENT", `unknown duplicate policy ${wire}: use SKIP or REWRITE`);
}

/** `after` and `limit` of a listing; empty and 0 stand for absent. */
export function listToWire({ after = "", limit = 0 }: ListOptions): { after: string; limit: bigint } {
  return { after, limit: BigInt(limit) };
}

export function listFromWire({ after, limit }: { after: string; limit: bigint }): ListOptions {
  return {
    ...(after === "" ? {} : { after }),
    ...(limit === 0n ? {} : { limit: countFromWire(limit, "limit") }),
  };
}
