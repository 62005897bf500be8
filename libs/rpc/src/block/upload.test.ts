import type { BlockInput } from "@graviton/ports/block-store";
import { blockBytesMax } from "@graviton/ports/limits";
import { describe, expect, test } from "@jest/globals";
import { BlockUpload } from "./upload.ts";

async function* blocksOf(...blocks: BlockInput[]) {
  yield* blocks;
}

function cases(messages: Awaited<ReturnType<typeof collect>>): string[] {
  return messages.map(({ part }) => (part?.case === "header" ? `header ${part.value?.size}` : String(part?.case)));
}

function collect(upload: BlockUpload, blocks: AsyncIterable<BlockInput>) {
  return Array.fromAsync(upload.requests(blocks));
}

test("An upload is its plan, and for each block its header and frames", async () => {
  const blocks = blocksOf({ bytes: new Uint8Array(3) }, { bytes: new Uint8Array(1024 * 1024 + 1) });
  expect(cases(await collect(new BlockUpload({}), blocks))).toEqual([
    "plan",
    "header 3",
    "frame",
    "header 1048577",
    "frame",
    "frame",
  ]);
});

test("A block over the limit goes no further than its header", async () => {
  const blocks = blocksOf({ bytes: new Uint8Array(blockBytesMax + 1) });
  expect(cases(await collect(new BlockUpload({}), blocks))).toEqual(["plan", "header 16777217"]);
});

test("A stream that the server cuts may come in pieces over the limit of a block", async () => {
  const upload = new BlockUpload({ framing: { kind: "fixed", blockBytes: 10 } });
  const messages = await collect(upload, blocksOf({ bytes: new Uint8Array(blockBytesMax + 5) }));
  expect(cases(messages).filter((text) => text.startsWith("header"))).toEqual(["header 16777216", "header 5"]);
});

describe("A source that fails", () => {
  const failure = new Error("the source breaks off");
  async function* failing(): AsyncGenerator<BlockInput> {
    yield { bytes: new Uint8Array(1) };
    yield { bytes: new Uint8Array(2) };
    throw failure;
  }

  test("ends the upload once the blocks before it are reported, and not before", async () => {
    const upload = new BlockUpload({});
    let ended = false;
    const outcome = collect(upload, failing()).finally(() => {
      ended = true;
    });
    outcome.catch(() => {});
    await new Promise(setImmediate);
    upload.report();
    await new Promise(setImmediate);
    expect(ended).toBe(false);
    upload.report();
    await expect(outcome).rejects.toBe(failure);
  });

  test("ends it at once where they are reported already", async () => {
    const upload = new BlockUpload({});
    upload.report();
    upload.report();
    await expect(collect(upload, failing())).rejects.toBe(failure);
  });
});

test("A malformed key is INVALID_ARGUMENT", async () => {
  const key = { algorithm: "blake3", digest: "no", size: 1 } as const;
  await expect(collect(new BlockUpload({}), blocksOf({ bytes: new Uint8Array(1), key }))).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
  });
});
