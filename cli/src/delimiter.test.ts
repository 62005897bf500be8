import { expect, test } from "@jest/globals";
import { parseDelimiter } from "./delimiter.ts";

test.each([
  ["\\n", [10]],
  ["\\r\\n", [13, 10]],
  ["\\0\\t\\\\", [0, 9, 92]],
  ["\\xFf\\x00", [255, 0]],
  ["--\\n", [45, 45, 10]],
  ["é", [0xc3, 0xa9]],
  ["\n", [10]],
])("the delimiter %s", (text, bytes) => {
  expect([...parseDelimiter(text)]).toEqual(bytes);
});

test.each(["\\q", "\\x1", "\\xzz", "abc\\"])("%s is refused and named", (text) => {
  expect(() => parseDelimiter(text)).toThrow(/unknown escape \\/);
});
