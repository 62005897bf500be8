import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { frameBytesMax } from "@graviton/ports/limits";
import { BlockService, type PutBlocksRequestSchema } from "@graviton/proto/graviton/block/v1/block_pb";
import { describe, expect, test } from "@jest/globals";
import { fromWire } from "../errors.ts";
import { loopback } from "../loopback.ts";
import { blockRoutes } from "./routes.ts";

type Request = MessageInitShape<typeof PutBlocksRequestSchema>;

const plan: Request = { part: { case: "plan", value: {} } };

function header(size: number): Request {
  return { part: { case: "header", value: { size } } };
}

function frame(length: number): Request {
  return { part: { case: "frame", value: new Uint8Array(length) } };
}

describe("A client that does not keep to the protocol of PutBlocks is told so with INVALID_ARGUMENT", () => {
  test.each<[string, Request[], RegExp]>([
    ["no message at all", [], /the upload is empty: it begins with its plan/],
    ["a header first", [header(1), frame(1)], /begins with header: it must begin with its plan/],
    ["a second plan", [plan, header(1), frame(1), plan], /second plan/],
    ["an empty message", [plan, {}], /empty message/],
    ["a frame without a header", [plan, frame(1)], /before a block's header/],
    ["a header inside a block", [plan, header(2), frame(1), header(1)], /a header came after 1 of the 2 bytes/],
    ["an end inside a block", [plan, header(2), frame(1)], /the end came after 1 of the 2 bytes/],
    ["too many bytes", [plan, header(2), frame(3)], /2 bytes have 3 bytes and more/],
    ["a frame over the limit", [plan, header(frameBytesMax + 1), frame(frameBytesMax + 1)], /frameBytesMax/],
    ["an empty block", [plan, header(0)], /at least 1 byte/],
    ["an unknown algorithm", [{ part: { case: "plan", value: { algorithm: 7 as 0 } } }], /algorithm 7/],
    ["a malformed key", [plan, { part: { case: "header", value: { size: 1, key: {} } } }, frame(1)], /algorithm/],
  ])("%s", async (_, requests, message) => {
    await using store = new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(new Map()));
    await using served = await loopback(blockRoutes(store));
    async function* upload() {
      yield* requests;
    }
    const reports = createClient(BlockService, served.channel.transport).putBlocks(upload());
    const error = await Array.fromAsync(reports).catch((failure: unknown) => fromWire(failure));
    expect(error).toMatchObject({ reason: "INVALID_ARGUMENT", message: expect.stringMatching(message) });
  });
});

test("A call without a key is INVALID_ARGUMENT", async () => {
  await using store = new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(new Map()));
  await using served = await loopback(blockRoutes(store));
  const client = createClient(BlockService, served.channel.transport);
  const error = await Array.fromAsync(client.getBlock({})).catch((failure: unknown) => fromWire(failure));
  expect(error).toMatchObject({ reason: "INVALID_ARGUMENT", message: "the request has no key" });
});
