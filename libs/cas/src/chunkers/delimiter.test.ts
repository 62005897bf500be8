import { type DelimiterPlan, resolveChunkerPlan } from "@graviton/ports/plan";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createChunker } from "./chunker.ts";

test("a block ends behind each newline unless told otherwise", () => {
  expect(cut({}, ["one\ntwo\n\nfour"])).toEqual(["one\n", "two\n", "\n", "four"]);
});

test("without include a block begins with the delimiter", () => {
  expect(cut({ include: false }, ["one\ntwo\n\nfour"])).toEqual(["one", "\ntwo", "\n", "\nfour"]);
  expect(cut({ include: false }, ["\none"])).toEqual(["\none"]);
});

test("a delimiter may straddle pieces", () => {
  expect(cut({ delimiter: text("<end>") }, ["a<e", "n", "d>b<", "en", "<end>c"])).toEqual(["a<end>", "b<en<end>", "c"]);
  expect(cut({ delimiter: text("<end>"), include: false }, ["a<e", "n", "d>b"])).toEqual(["a", "<end>b"]);
});

test("delimiters do not overlap", () => {
  expect(cut({ delimiter: text("aa") }, ["aaaaa"])).toEqual(["aa", "aa", "a"]);
  expect(cut({ delimiter: text("abab") }, ["ababab", "ab"])).toEqual(["abab", "abab"]);
});

test("a beginning that fails falls back on the longest that still fits", () => {
  expect(cut({ delimiter: text("aab") }, ["aaaab-"])).toEqual(["aaaab", "-"]);
  expect(cut({ delimiter: text("abcabd") }, ["abcabcabd-"])).toEqual(["abcabcabd", "-"]);
  expect(cut({ delimiter: text("aabaaac") }, ["aabaaabaaac-"])).toEqual(["aabaaabaaac", "-"]);
});

test("the delimiter's bytes may be reused once the chunker is made", () => {
  const delimiter = text("\n");
  const chunker = createChunker(resolveChunkerPlan({ kind: "delimiter", delimiter }));
  delimiter.fill(0x78);
  expect(chunker.push(text("axb\nc")).map(String)).toEqual(["axb\n"]);
});

test("a record over the maximum is cut every maximum bytes, and its rest is a block of its own", () => {
  const long = "x".repeat(2500);
  expect(lengths({ maximumBytes: 1024 }, [`${long}\nend`])).toEqual([1024, 1024, 453, 3]);
  expect(lengths({ maximumBytes: 1024, include: false }, [`${long}\nend`])).toEqual([1024, 1024, 452, 4]);
});

test("a delimiter that a cut at the maximum divides still ends its record", () => {
  const plan = { maximumBytes: 1024, delimiter: text("<end>") };
  expect(cut(plan, [`${"x".repeat(1022)}<end>rest`])).toEqual([`${"x".repeat(1022)}<e`, "nd>", "rest"]);
});

test("a record that may end with the match in progress waits for it before it is cut at the maximum", () => {
  const plan = { maximumBytes: 1024, delimiter: text("<end>"), include: false };
  expect(lengths(plan, ["x".repeat(1022), "<e", "nd>"])).toEqual([1022, 5]);
  expect(lengths(plan, ["x".repeat(1022), "<e", "n"])).toEqual([1024, 1]);
  expect(lengths(plan, ["x".repeat(1022), "<e", "n,"])).toEqual([1024, 2]);
});

test("a record of exactly the maximum is one block", () => {
  expect(lengths({ maximumBytes: 1024 }, [`${"x".repeat(1023)}\n`, "y"])).toEqual([1024, 1]);
  expect(lengths({ maximumBytes: 1024 }, ["x".repeat(1024)])).toEqual([1024]);
  expect(lengths({ maximumBytes: 1024, include: false }, ["x".repeat(1024), "\ny"])).toEqual([1024, 2]);
});

test("it agrees with a search over the whole stream, whatever the delimiter and the pieces", () => {
  const letters = fc.constantFrom("a", "b", "c", "aab", "abab");
  const plan = fc.record({
    delimiter: fc.array(letters, { minLength: 1, maxLength: 6 }).map((parts) => text(parts.join(""))),
    include: fc.boolean(),
    maximumBytes: fc.integer({ min: 1024, max: 1100 }),
  });
  const part = fc.oneof(
    fc.array(letters, { maxLength: 60 }).map((parts) => parts.join("")),
    fc.nat(2400).map((count) => "c".repeat(count)),
    fc.nat(1500).map((count) => "a".repeat(count)),
  );
  fc.assert(
    fc.property(plan, fc.array(part, { maxLength: 12 }), (given, pieces) => {
      expect(cut(given, pieces)).toEqual(model(given, pieces.join("")));
    }),
    { numRuns: 1500 },
  );
});

test("it agrees with a search over the whole stream for a delimiter as long as a block", () => {
  const delimiter = "a".repeat(1023);
  const part = fc.oneof(
    fc.integer({ min: 1000, max: 1050 }).map((count) => "a".repeat(count)),
    fc.constantFrom("b", "c", delimiter, `b${delimiter}`),
  );
  fc.assert(
    fc.property(fc.constantFrom("a", "b"), fc.boolean(), fc.array(part, { maxLength: 6 }), (last, include, pieces) => {
      const plan = { delimiter: text(delimiter + last), include, maximumBytes: 1024 };
      expect(cut(plan, pieces)).toEqual(model(plan, pieces.join("")));
    }),
    { numRuns: 300 },
  );
});

/** The definition: all delimiters first, then the records between them, then the maximum. */
function model(plan: { delimiter: Uint8Array; include: boolean; maximumBytes: number }, stream: string): string[] {
  const delimiter = Buffer.from(plan.delimiter).toString();
  const ends: number[] = [];
  for (let at = stream.indexOf(delimiter); at >= 0; at = stream.indexOf(delimiter, at + delimiter.length)) {
    ends.push(plan.include ? at + delimiter.length : at);
  }
  const blocks: string[] = [];
  let start = 0;
  for (const end of [...ends, stream.length]) {
    for (; start < end; start += plan.maximumBytes) {
      blocks.push(stream.slice(start, Math.min(end, start + plan.maximumBytes)));
    }
    start = end;
  }
  return blocks;
}

function lengths(plan: Omit<DelimiterPlan, "kind">, pieces: string[]): number[] {
  return cut(plan, pieces).map((block) => block.length);
}

function cut(plan: Omit<DelimiterPlan, "kind">, pieces: string[]): string[] {
  const chunker = createChunker(resolveChunkerPlan({ kind: "delimiter", ...plan }));
  const blocks = pieces.flatMap((piece) => chunker.push(text(piece)));
  return [...blocks, ...chunker.finish()].map((block) => Buffer.from(block).toString());
}

function text(characters: string): Uint8Array {
  return Buffer.from(characters);
}
