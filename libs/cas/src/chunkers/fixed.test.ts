import { resolveChunkerPlan } from "@graviton/ports/plan";
import { expect, test } from "@jest/globals";
import { createChunker } from "./chunker.ts";

test.each([
  [0, []],
  [1, [1]],
  [1023, [1023]],
  [1024, [1024]],
  [1025, [1024, 1]],
  [3 * 1024, [1024, 1024, 1024]],
])("a stream of length %i is cut every 1,024 bytes", (length, expected) => {
  expect(cut({ kind: "fixed", blockBytes: 1024 }, length)).toEqual(expected);
});

test("a block is 1 MiB unless told otherwise", () => {
  expect(cut({ kind: "fixed" }, 1024 * 1024 + 5)).toEqual([1024 * 1024, 5]);
});

test("a block may be a single byte", () => {
  expect(cut({ kind: "fixed", blockBytes: 1 }, 3)).toEqual([1, 1, 1]);
});

function cut(plan: { kind: "fixed"; blockBytes?: number }, length: number): number[] {
  const chunker = createChunker(resolveChunkerPlan(plan));
  return [...chunker.push(Buffer.alloc(length)), ...chunker.finish()].map((block) => block.length);
}
