import { describe, expect, test } from "@jest/globals";
import { spanOfRangeHeader } from "./range-header.ts";

describe("a Range header on 100 bytes", () => {
  test.each([
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=0-99", { start: 0, end: 100 }],
    ["bytes=10-", { start: 10, end: 100 }],
    ["bytes=90-1000", { start: 90, end: 100 }],
    ["bytes=-1", { start: 99, end: 100 }],
    ["bytes=-1000", { start: 0, end: 100 }],
  ])("%s asks for a part", (header, span) => {
    expect(spanOfRangeHeader(header, 100)).toEqual(span);
  });

  test.each([undefined, "", "bytes=", "bytes=5-4", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "bytes=--1"])(
    "%s leaves the whole",
    (header) => {
      expect(spanOfRangeHeader(header, 100)).toBeUndefined();
    },
  );

  test.each(["bytes=100-", "bytes=200-300", "bytes=-0"])("%s has no byte to give", (header) => {
    expect(() => spanOfRangeHeader(header, 100)).toThrow(expect.objectContaining({ reason: "OUT_OF_RANGE" }));
  });

  test("of an empty blob has no byte to give", () => {
    expect(() => spanOfRangeHeader("bytes=0-", 0)).toThrow(expect.objectContaining({ reason: "OUT_OF_RANGE" }));
  });
});
