import { type ChunkerPlan, resolveChunkerPlan } from "@graviton/ports/plan";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Chunker, chunked, createChunker } from "./chunker.ts";

const plans: Record<string, fc.Arbitrary<ChunkerPlan>> = {
  fastcdc: fc
    .record({
      averageBytes: fc.integer({ min: 1024, max: 3000 }),
      less: fc.integer({ min: 0, max: 900 }),
      more: fc.integer({ min: 0, max: 5000 }),
      normalization: fc.integer({ min: 0, max: 3 }),
      seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    })
    .map(({ averageBytes, less, more, normalization, seed }) => ({
      kind: "fastcdc",
      averageBytes,
      minimumBytes: averageBytes - less,
      maximumBytes: averageBytes + more,
      normalization,
      seed,
    })),
  fixed: fc.integer({ min: 1, max: 5000 }).map((blockBytes) => ({ kind: "fixed", blockBytes })),
  delimiter: fc
    .record({
      delimiter: fc
        .array(fc.constantFrom(0x61, 0x62), { minLength: 1, maxLength: 12 })
        .map((bytes) => Uint8Array.from(bytes)),
      include: fc.boolean(),
      maximumBytes: fc.integer({ min: 1024, max: 3000 }),
    })
    .map((plan) => ({ kind: "delimiter", ...plan })),
};

/** Streams with long runs, repetitions of few letters, and noise, of up to 60 KiB. */
const streams = fc
  .array(
    fc.oneof(
      fc
        .record({ byte: fc.constantFrom(0, 0x61), count: fc.nat(6000) })
        .map(({ byte, count }) => Buffer.alloc(count, byte)),
      fc.array(fc.constantFrom(0x61, 0x62), { maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      fc
        .record({ state: fc.integer({ min: 1 }), count: fc.nat(12_000) })
        .map(({ state, count }) => noise(state, count)),
    ),
    { maxLength: 5 },
  )
  .map((parts) => Buffer.concat(parts));

/** How to divide a stream: the sizes of its pieces, over and over. */
const divisions = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.nat(9000)), { minLength: 1, maxLength: 8 });

describe.each(Object.entries(plans))("%s", (_, plan) => {
  test("loses and adds no byte, and keeps every block within the plan", () => {
    fc.assert(
      fc.property(plan, streams, (given, stream) => {
        const resolved = resolveChunkerPlan(given);
        const blocks = blocksOf(createChunker(resolved), [stream]);
        expect(Buffer.concat(blocks).equals(stream)).toBe(true);
        const most = resolved.kind === "fixed" ? resolved.blockBytes : resolved.maximumBytes;
        expect(blocks.every((block) => block.length > 0 && block.length <= most)).toBe(true);
      }),
    );
  });

  test("cuts at the same places however the stream comes in pieces", () => {
    fc.assert(
      fc.property(plan, streams, divisions, (given, stream, sizes) => {
        const resolved = resolveChunkerPlan(given);
        const whole = blocksOf(createChunker(resolved), [stream]);
        const pieces = blocksOf(createChunker(resolved), divide(stream, sizes));
        expect(lengths(pieces)).toEqual(lengths(whole));
        expect(Buffer.concat(pieces).equals(stream)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("cuts the same when the stream comes one byte at a time", () => {
    fc.assert(
      fc.property(plan, streams, (given, stream) => {
        const short = stream.subarray(0, 12_000);
        const resolved = resolveChunkerPlan(given);
        expect(lengths(blocksOf(createChunker(resolved), divide(short, [1])))).toEqual(
          lengths(blocksOf(createChunker(resolved), [short])),
        );
      }),
      { numRuns: 30 },
    );
  });

  test("gives away blocks that do not change when the piece they came in is reused", () => {
    fc.assert(
      fc.property(plan, streams, divisions, (given, stream, sizes) => {
        const chunker = createChunker(resolveChunkerPlan(given));
        const blocks = [...divide(stream, sizes)].flatMap((piece) => {
          const reused = Buffer.from(piece);
          const complete = chunker.push(reused);
          reused.fill(0x2b);
          return complete;
        });
        expect(Buffer.concat([...blocks, ...chunker.finish()]).equals(stream)).toBe(true);
      }),
    );
  });

  test("gives away blocks that their owner may change at once", () => {
    fc.assert(
      fc.property(plan, streams, divisions, (given, stream, sizes) => {
        const original = Buffer.from(stream);
        const taken: Buffer[] = [];
        for (const block of blocksLazily(createChunker(resolveChunkerPlan(given)), divide(stream, sizes))) {
          taken.push(Buffer.from(block));
          block.fill(0x2a);
        }
        expect(Buffer.concat(taken).equals(original)).toBe(true);
        expect(stream.equals(original)).toBe(true);
      }),
    );
  });

  test("shares nothing between chunkers that take turns", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(plan, streams), { minLength: 2, maxLength: 3 }), divisions, (each, sizes) => {
        const alone = each.map(([given, stream]) =>
          lengths(blocksOf(createChunker(resolveChunkerPlan(given)), [stream])),
        );
        const turns = each.map(([given, stream]) =>
          blocksLazily(createChunker(resolveChunkerPlan(given)), divide(stream, sizes)),
        );
        expect(inTurns(turns).map(lengths)).toEqual(alone);
      }),
    );
  });

  test("gives no block for the empty stream", () => {
    fc.assert(
      fc.property(plan, (given) => {
        expect(blocksOf(createChunker(resolveChunkerPlan(given)), [])).toEqual([]);
        expect(blocksOf(createChunker(resolveChunkerPlan(given)), [Buffer.alloc(0)])).toEqual([]);
      }),
    );
  });
});

test("a piece of 1 GiB gives its blocks one by one", () => {
  const piece = Buffer.alloc(1024 ** 3);
  let blocks = 0;
  for (const block of createChunker(resolveChunkerPlan({ kind: "fastcdc" })).blocks(piece)) {
    expect(block.length).toBe(2 * 1024 ** 2);
    blocks += 1;
  }
  expect(blocks).toBe(512);
});

test("a stream is asked for more only when the blocks of what came are taken", async () => {
  const asked: number[] = [];
  async function* source() {
    for (let piece = 0; piece < 3; piece += 1) {
      asked.push(piece);
      yield Buffer.alloc(8);
    }
  }
  const blocks = chunked(resolveChunkerPlan({ kind: "fixed", blockBytes: 3 }), source());
  const seen: [number, number][] = [];
  for await (const block of blocks) seen.push([asked.length, block.length]);
  expect(seen).toEqual([
    [1, 3],
    [1, 3],
    [2, 3],
    [2, 3],
    [2, 3],
    [3, 3],
    [3, 3],
    [3, 3],
  ]);
});

test("a stream that fails passes its error on, and closes its source when nobody wants more", async () => {
  const plan = resolveChunkerPlan({ kind: "fixed", blockBytes: 2 });
  async function* failing() {
    yield Buffer.from("abc");
    throw new Error("the source broke");
  }
  await expect(Array.fromAsync(chunked(plan, failing()))).rejects.toThrow("the source broke");

  let closed = false;
  async function* endless() {
    try {
      for (;;) yield Buffer.from("abc");
    } finally {
      closed = true;
    }
  }
  for await (const block of chunked(plan, endless())) {
    expect(block.toString()).toBe("ab");
    break;
  }
  expect(closed).toBe(true);
});

function blocksOf(chunker: Chunker, pieces: Iterable<Uint8Array>): Uint8Array[] {
  return [...blocksEagerly(chunker, pieces)];
}

function* blocksEagerly(chunker: Chunker, pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const piece of pieces) yield* chunker.push(piece);
  yield* chunker.finish();
}

function* blocksLazily(chunker: Chunker, pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const piece of pieces) yield* chunker.blocks(piece);
  yield* chunker.finish();
}

/** One block of each in turn, until all have ended. */
function inTurns(streams: Iterator<Uint8Array>[]): Uint8Array[][] {
  const taken = streams.map((): Uint8Array[] => []);
  const open = new Set(streams.keys());
  while (open.size > 0) {
    for (const index of [...open]) {
      const step = streams[index]?.next();
      if (step === undefined || step.done) open.delete(index);
      else taken[index]?.push(step.value);
    }
  }
  return taken;
}

function* divide(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    // Sizes that are all 0 would never come to the end.
    const size = turn % (sizes.length + 1) === sizes.length ? 1 : (sizes[turn % (sizes.length + 1)] as number);
    yield stream.subarray(at, at + size);
    at += size;
  }
}

function lengths(blocks: Uint8Array[]): number[] {
  return blocks.map((block) => block.length);
}

function noise(seed: number, count: number): Buffer {
  let state = seed;
  return Buffer.from(
    Uint8Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state;
    }),
  );
}
