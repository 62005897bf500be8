import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetBlobRequestSchema,
  GetBlobResponseSchema,
  PutBlobRequestSchema,
} from "@graviton/proto/graviton/blob/v1/blob_pb";
import {
  GetBlockResponseSchema,
  GetBlocksResponseSchema,
  PutBlocksRequestSchema,
} from "@graviton/proto/graviton/block/v1/block_pb";
import { GetObjectResponseSchema, PutObjectRequestSchema } from "@graviton/proto/graviton/object/v1/object_pb";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { codecOf, type Outgoing } from "./codec.ts";

const inOneof: DescMessage[] = [
  PutBlobRequestSchema,
  PutBlocksRequestSchema,
  GetBlocksResponseSchema,
  PutObjectRequestSchema,
];
const alone: DescMessage[] = [GetBlobResponseSchema, GetBlockResponseSchema, GetObjectResponseSchema];

const bulk: [string, DescMessage, (frame: Uint8Array) => Record<string, unknown>][] = [
  ...inOneof.map((desc) => [desc.typeName, desc, inPart] as [string, DescMessage, typeof inPart]),
  ...alone.map(
    (desc) => [desc.typeName, desc, (frame: Uint8Array) => ({ frame })] as [string, DescMessage, typeof inPart],
  ),
];

function inPart(frame: Uint8Array): Record<string, unknown> {
  return { part: { case: "frame", value: frame } };
}

/** The bytes as grpc-js gets them: it copies them behind its own header. */
function bytesOf(outgoing: Outgoing): Buffer {
  const framed = Buffer.alloc(outgoing.length + 5);
  outgoing.copy(framed, 5);
  return framed.subarray(5);
}

function frameOf(message: unknown): Uint8Array {
  const { frame, part } = message as { frame?: Uint8Array; part?: { value?: Uint8Array } };
  return frame ?? part?.value ?? new Uint8Array();
}

// Around the lengths at which the length of the length changes.
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.constantFrom(127, 128, 16_383, 16_384, 1024 * 1024, 2_097_151, 2_097_152),
);

describe.each(bulk)("A frame in %s", (_, desc, messageOf) => {
  test("is encoded to the bytes that protobuf-es gives", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 255 }), (length, fill) => {
        const message = messageOf(new Uint8Array(length).fill(fill));
        const encoded = bytesOf(codecOf(desc).encode(message));
        expect(encoded.equals(toBinary(desc, create(desc, message)))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("is decoded to what protobuf-es gives", () => {
    fc.assert(
      fc.property(lengths, (length) => {
        const frame = Buffer.alloc(length, 9);
        const bytes = Buffer.from(toBinary(desc, create(desc, messageOf(frame))));
        const decoded = frameOf(codecOf(desc).decode(bytes));
        expect(frame.equals(decoded)).toBe(true);
        expect(frame.equals(frameOf(fromBinary(desc, new Uint8Array(bytes))))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("is decoded without a copy, to a plain Uint8Array", () => {
    const encoded = bytesOf(codecOf(desc).encode(messageOf(new Uint8Array(100_000))));
    const received = frameOf(codecOf(desc).decode(encoded));
    expect(received.buffer === encoded.buffer).toBe(true);
    expect(received.constructor === Uint8Array).toBe(true);
  });
});

test("Any bytes are decoded to what protobuf-es gives, or refused as it refuses them", () => {
  const outcome = (decode: () => unknown) => {
    try {
      return { message: decode() };
    } catch {
      return "refused";
    }
  };
  const nearly = fc
    .tuple(fc.constantFrom(0x0a, 0x12, 0x1a), fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 8 }))
    .map(([tag, frame, rest]) => Uint8Array.of(tag, frame.length, ...frame, ...rest));
  fc.assert(
    fc.property(fc.constantFrom(...inOneof, ...alone), fc.oneof(fc.uint8Array(), nearly), (desc, bytes) => {
      expect(outcome(() => codecOf(desc).decode(Buffer.from(bytes)))).toEqual(outcome(() => fromBinary(desc, bytes)));
    }),
    { numRuns: 500 },
  );
});

test("A message without a frame goes through protobuf-es", () => {
  const codec = codecOf(GetBlobRequestSchema);
  const message = { key: { digest: "ab", size: 7n }, range: { offset: 3n } };
  expect(codec.decode(bytesOf(codec.encode(message)))).toEqual(create(GetBlobRequestSchema, message));
});

test("A message that has more than its frame keeps it", () => {
  const message = fromBinary(GetBlobResponseSchema, Uint8Array.of(0x0a, 1, 65, 0x78, 5));
  expect([...bytesOf(codecOf(GetBlobResponseSchema).encode(message))]).toEqual([0x0a, 1, 65, 0x78, 5]);
});

test("A message type has one codec", () => {
  expect(codecOf(GetBlobResponseSchema)).toBe(codecOf(GetBlobResponseSchema));
});
