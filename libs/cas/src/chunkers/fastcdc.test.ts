import { type ResolvedChunkerPlan, resolveChunkerPlan } from "@graviton/ports/plan";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { digestOf, fastCdcVectors, makeInput, type Vector } from "../../vectors/vectors.ts";
import { createChunker } from "./chunker.ts";
import { gearTable, selectMasks } from "./fastcdc-parameters.ts";
import { fastCdcReference } from "./fastcdc-reference.ts";

const inputs = {
  random: makeInput("random", 200_000),
  letters: makeInput("letters", 200_000),
  counting: makeInput("counting", 200_000),
};

test("the gear table is that of the Rust crate", () => {
  expect([...gearTable(0n)].map((entry) => entry.toString(16).padStart(16, "0"))).toEqual(fastCdcVectors.gear);
});

test("the seed is exclusive-ored into every entry", () => {
  expect([...gearTable(666n)].map((entry) => entry ^ 666n)).toEqual([...gearTable(0n)]);
});

test("masks follow the power of two that is nearest on a logarithmic scale", () => {
  expect(selectMasks(1448, 0)).toEqual(selectMasks(1024, 0));
  expect(selectMasks(1449, 0)).toEqual(selectMasks(2048, 0));
  expect(selectMasks(512 * 1024, 2)).toEqual({ strict: 0x0000d91767537000n, loose: 0x0000d90703537000n });
});

test("every average that a plan may have finds its masks", () => {
  for (const average of [1024, 4 * 1024 * 1024]) {
    for (const normalization of [0, 1, 2, 3]) {
      const masks = selectMasks(average, normalization);
      expect([typeof masks.strict, typeof masks.loose]).toEqual(["bigint", "bigint"]);
    }
  }
});

describe.each(fastCdcVectors.cases.map((vector) => [titleOf(vector), vector] as const))("%s", (_, vector) => {
  test("the kernel cuts where the Rust crate does", () => {
    expectVector(vector, (input) => pieceLengths(planOf(vector), input, 1024 * 1024));
  });

  // The reference needs seconds for what the kernel does at once.
  if (vector.length <= 8 * 1024 * 1024 && !vector.sweep) {
    test("the reference cuts where the Rust crate does", () => {
      expectVector(vector, (input) => fastCdcReference(planOf(vector), input));
    });
  }
});

test("the kernel cuts where the reference does, whatever the plan, the bytes and the pieces", () => {
  const sizes = fc.record({ average: fc.integer({ min: 1024, max: 3000 }), less: fc.nat(960), more: fc.nat(5000) });
  const plan = fc
    .tuple(sizes, fc.integer({ min: 0, max: 3 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    .map(([{ average, less, more }, normalization, seed]) =>
      fastCdcPlan({
        averageBytes: average,
        minimumBytes: average - less,
        maximumBytes: average + more,
        normalization,
        seed,
      }),
    );
  const stream = fc.tuple(fc.nat(100_000), fc.nat(80_000), fc.constantFrom("random" as const, "letters", "counting"));
  fc.assert(
    fc.property(plan, stream, fc.integer({ min: 1, max: 90_000 }), (given, [from, length, kind], pieceBytes) => {
      const bytes = inputs[kind].subarray(from, from + length);
      expect(pieceLengths(given, bytes, pieceBytes)).toEqual(fastCdcReference(given, bytes));
    }),
    { numRuns: 400 },
  );
});

test("a byte put in front moves the boundaries near it and no others", () => {
  const plan = fastCdcPlan({ averageBytes: 4096 });
  const stream = makeInput("random", 1024 * 1024);
  const before = boundaries(fastCdcReference(plan, stream));
  const after = boundaries(fastCdcReference(plan, Buffer.concat([Buffer.from("x"), stream]))).map((end) => end - 1);
  const moved = after.filter((end) => !before.includes(end));
  expect(after.length).toBeGreaterThan(200);
  expect(moved.length).toBeLessThan(10);
});

function expectVector(vector: Vector, cut: (input: Buffer) => number[]): void {
  const input = makeInput(vector.input, vector.length);
  const lengths = vector.sweep
    ? Array.from({ length: vector.length + 1 }, (_, end) => cut(input.subarray(0, end))).flat()
    : cut(input);
  if (vector.blocks !== undefined) expect(lengths).toEqual(vector.blocks);
  else
    expect({ count: lengths.length, sha256: digestOf(lengths) }).toEqual({
      count: vector.count,
      sha256: vector.sha256,
    });
}

function pieceLengths(plan: ResolvedChunkerPlan, input: Buffer, pieceBytes: number): number[] {
  const chunker = createChunker(plan);
  const lengths: number[] = [];
  for (let at = 0; at < input.length; at += pieceBytes) {
    for (const block of chunker.blocks(input.subarray(at, at + pieceBytes))) lengths.push(block.length);
  }
  return [...lengths, ...chunker.finish().map((block) => block.length)];
}

function planOf({ averageBytes, minimumBytes, maximumBytes, normalization, seed }: Vector) {
  return fastCdcPlan({ averageBytes, minimumBytes, maximumBytes, normalization, seed: BigInt(seed) });
}

function fastCdcPlan(plan: Omit<Parameters<typeof resolveChunkerPlan>[0] & { kind: "fastcdc" }, "kind">) {
  const resolved = resolveChunkerPlan({ kind: "fastcdc", ...plan });
  if (resolved.kind !== "fastcdc") throw new Error("the plan changed its kind");
  return resolved;
}

function boundaries(lengths: number[]): number[] {
  let end = 0;
  return lengths.map((length) => (end += length));
}

function titleOf({
  input,
  length,
  minimumBytes,
  averageBytes,
  maximumBytes,
  normalization,
  seed,
  sweep,
}: Vector): string {
  const sizes = `${minimumBytes}/${averageBytes}/${maximumBytes}, normalization ${normalization}, seed ${seed}`;
  return `${sizes}: ${sweep ? "every beginning of " : ""}${length} bytes of ${input}`;
}
