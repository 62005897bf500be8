import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Attributes } from "@graviton/ports/attributes";
import type { Key } from "@graviton/ports/key";
import {
  AttributesSchema,
  ByteRangeSchema,
  ByteSpanSchema,
  ConfirmedAttributesSchema,
  HashAlgorithm,
  KeySchema,
} from "@graviton/proto/graviton/core/v1/core_pb";
import { expect, test } from "@jest/globals";
import {
  algorithmFromWire,
  algorithmToWire,
  attributesFromWire,
  attributesToWire,
  confirmedFromWire,
  confirmedToWire,
  duplicatesFromWire,
  duplicatesToWire,
  keyFromWire,
  keyToWire,
  listFromWire,
  listToWire,
  rangeFromWire,
  rangeToWire,
  spanFromWire,
  spanToWire,
} from "./convert.ts";

const digest = "0123456789abcdef".repeat(4);
const key: Key = { algorithm: "sha256", digest, size: Number.MAX_SAFE_INTEGER };
const beyond = 2n ** 53n;

function crossed<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): MessageShape<Desc> {
  return fromBinary(desc, toBinary(desc, create(desc, init)));
}

test("A key comes over the wire as it was", () => {
  for (const each of [key, { ...key, algorithm: "blake3", size: 0 } as const]) {
    expect(keyFromWire(crossed(KeySchema, keyToWire(each)))).toEqual(each);
  }
});

test.each([
  ["is absent", undefined, /no key/],
  ["has no algorithm", { digest, size: 1n }, /needs its algorithm/],
  [
    "has an algorithm that nobody knows",
    { algorithm: 9 as HashAlgorithm, digest, size: 1n },
    /unknown hash algorithm 9/,
  ],
  ["has a digest in capitals", { algorithm: 1, digest: digest.toUpperCase(), size: 1n }, /digest/],
  ["has half a digest", { algorithm: 1, digest: digest.slice(32), size: 1n }, /digest/],
  ["has a size beyond 2^53 - 1", { algorithm: 1, digest, size: beyond }, /size 9007199254740992 is over/],
] as const)("A key that %s is INVALID_ARGUMENT", (_, init, message) => {
  const wire = init === undefined ? undefined : create(KeySchema, init);
  expect(() => keyFromWire(wire)).toThrow(expect.objectContaining({ reason: "INVALID_ARGUMENT" }));
  expect(() => keyFromWire(wire)).toThrow(message);
});

test("A range comes over the wire as it was, and is the whole when absent", () => {
  for (const range of [{ offset: 0 }, { offset: 7, length: 0 }, { offset: 1, length: Number.MAX_SAFE_INTEGER }]) {
    expect(rangeFromWire(crossed(ByteRangeSchema, rangeToWire(range)))).toEqual(range);
  }
  expect(rangeFromWire(undefined)).toEqual({ offset: 0 });
});

test("A range or span beyond 2^53 - 1 is INVALID_ARGUMENT", () => {
  const invalid = expect.objectContaining({ reason: "INVALID_ARGUMENT" });
  expect(() => rangeFromWire(create(ByteRangeSchema, { offset: beyond }))).toThrow(invalid);
  expect(() => rangeFromWire(create(ByteRangeSchema, { length: beyond }))).toThrow(invalid);
  expect(() => spanFromWire(create(ByteSpanSchema, { start: beyond }))).toThrow(invalid);
  expect(() => spanFromWire(create(ByteSpanSchema, { end: beyond }))).toThrow(invalid);
  expect(() => spanFromWire(undefined)).toThrow(invalid);
});

test("A span comes over the wire as it was", () => {
  const span = { start: 3, end: Number.MAX_SAFE_INTEGER };
  expect(spanFromWire(crossed(ByteSpanSchema, spanToWire(span)))).toEqual(span);
});

test("Attributes come over the wire as they were; what is empty is absent", () => {
  const all: Attributes = { contentType: "text/plain", name: "ü", custom: { a: "1", ["__proto__"]: "own", b: "" } };
  for (const attributes of [all, {}, { name: "n" }]) {
    expect(attributesFromWire(crossed(AttributesSchema, attributesToWire(attributes)))).toEqual(attributes);
  }
  expect(attributesFromWire(undefined)).toEqual({});
  expect(attributesFromWire(crossed(AttributesSchema, attributesToWire({ name: "", custom: {} })))).toEqual({});
});

test("Confirmed attributes come over the wire as they were", () => {
  const confirmed = { key, blockCount: 17, createdAt: 1_795_000_000_123 };
  expect(confirmedFromWire(crossed(ConfirmedAttributesSchema, confirmedToWire(confirmed)))).toEqual(confirmed);
});

test("An algorithm or a policy that is left open stays open, and one that nobody knows is refused", () => {
  expect(algorithmFromWire(algorithmToWire(undefined))).toBeUndefined();
  expect(algorithmFromWire(HashAlgorithm.BLAKE3)).toBe("blake3");
  expect(duplicatesFromWire(0)).toBe("skip");
  for (const policy of ["skip", "rewrite"] as const) expect(duplicatesFromWire(duplicatesToWire(policy))).toBe(policy);
  expect(() => duplicatesFromWire(9 as 0)).toThrow(/unknown duplicate policy 9/);
});

test("The bounds of a listing come over the wire as they were", () => {
  for (const bounds of [{}, { after: "a" }, { limit: 3 }, { after: "ü", limit: 1 }]) {
    expect(listFromWire(listToWire(bounds))).toEqual(bounds);
  }
  expect(() => listFromWire({ after: "", limit: beyond })).toThrow(
    expect.objectContaining({ reason: "INVALID_ARGUMENT" }),
  );
});
