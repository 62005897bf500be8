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

test("a block is given as soon as its last byte is there", () => {
  const chunker = createChunker(resolveChunkerPlan({ kind: "fixed", blockBytes: 4 }));
  expect(chunker.push(Buffer.from("abc")).map(String)).toEqual([]);
  expect(chunker.push(Buffer.from("d")).map(String)).toEqual(["abcd"]);
  expect(chunker.finish()).toEqual([]);
});

function cut(plan: { kind: "fixed"; blockBytes?: number }, length: number): number[] {
  const chunker = createChunker(resolveChunkerPlan(plan));
  return [...chunker.push(Buffer.alloc(length)), ...chunker.finish()].map((block) => block.length);
}
