import { expect, test } from "@jest/globals";
import { compareBytes } from "./byte-order.ts";

/** The first and the last character of each length in UTF-8, and those around the halves of pairs. */
const characters = [
  "\0",
  "a",
  "\u007f",
  "\u0080",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10000}",
  "\u{10ffff}",
];

test("Texts are compared as their bytes are, wherever they begin to differ and however long they are.", () => {
  const texts = ["", ...characters, ...characters.flatMap((a) => characters.map((b) => a + b))];
  const pairs = texts.flatMap((a) => texts.map((b) => [a, b] as const));
  const wrong = pairs.filter(
    ([a, b]) => Math.sign(compareBytes(a, b)) !== Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  expect(wrong).toEqual([]);
});
