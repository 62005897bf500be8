import { describe, expect, test } from "@jest/globals";
import { formatSize, parseSize } from "./sizes.ts";

describe("a size on the command line", () => {
  test.each([
    ["0", 0],
    ["65536", 65_536],
    ["512KiB", 524_288],
    ["512 kib", 524_288],
    ["1MiB", 1_048_576],
    ["1.5MiB", 1_572_864],
    ["4k", 4096],
    ["2MB", 2_000_000],
    ["1g", 2 ** 30],
    ["17B", 17],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["", "x", "-1", "1.5", "0.3KiB", "1 2", "1XB", "1e3", "9007199254740993", "KiB"])(
    "%s is not one",
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1_048_575, "1.0 MiB"],
  [13_002_342, "12.4 MiB"],
  [2 ** 50, "1.0 PiB"],
])("%d bytes read as %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});
