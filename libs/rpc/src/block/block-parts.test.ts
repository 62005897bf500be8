import { create } from "@bufbuild/protobuf";
import { blockBytesMax, frameBytesMax } from "@graviton/ports/limits";
import { BlockHeaderSchema } from "@graviton/proto/graviton/block/v1/block_pb";
import { expect, test } from "@jest/globals";
import { assembledBlocks, type BlockPart } from "./block-parts.ts";

function header(size: number): BlockPart {
  return { case: "header", value: create(BlockHeaderSchema, { size }) };
}

function frame(...bytes: number[]): BlockPart {
  return { case: "frame", value: Uint8Array.from(bytes) };
}

async function assemble(...parts: BlockPart[]): Promise<number[][]> {
  async function* stream() {
    yield* parts;
  }
  const blocks = await Array.fromAsync(assembledBlocks(stream()));
  return blocks.map(({ bytes }) => [...bytes]);
}

test("Blocks are put together from any frames", async () => {
  expect(await assemble(header(3), frame(1, 2, 3), header(4), frame(1), frame(), frame(2, 3), frame(4))).toEqual([
    [1, 2, 3],
    [1, 2, 3, 4],
  ]);
});

test("An empty block is passed on for the store to refuse", async () => {
  expect(await assemble(header(0))).toEqual([[]]);
});

test.each<[string, BlockPart[], RegExp]>([
  ["a frame before a header", [frame(1)], /before a block's header/],
  ["a frame after the block is complete", [header(1), frame(1), frame(2)], /before a block's header/],
  ["a header inside a block", [header(3), frame(1), header(2)], /a header came after 1 of the 3 bytes/],
  ["an end inside a block", [header(3), frame(1, 2)], /the end came after 2 of the 3 bytes/],
  ["a header and nothing more", [header(3)], /the end came after 0 of the 3 bytes/],
  ["more bytes than announced", [header(3), frame(1, 2), frame(3, 4)], /3 bytes have 4 bytes/],
])("%s is INVALID_ARGUMENT", async (_, parts, message) => {
  await expect(assemble(...parts)).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });
});

test("A frame over the limit is INVALID_ARGUMENT", async () => {
  const parts: BlockPart[] = [header(blockBytesMax), { case: "frame", value: new Uint8Array(frameBytesMax + 1) }];
  await expect(assemble(...parts)).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
});

test("A block over the limit is TOO_LARGE by its header alone", async () => {
  await expect(assemble(header(blockBytesMax + 1))).rejects.toMatchObject({
    reason: "TOO_LARGE",
    message: expect.stringContaining("blockBytesMax"),
  });
});
