import { expect, test } from "@jest/globals";
import { printable } from "./printable.ts";

test("A name of one line stays as it is", () => {
  expect(printable('photos/é "1".jpg')).toBe('photos/é "1".jpg');
});

test.each(["a\nb", "\u001b[31mred", "a\u009bb", "a\u2028b", "\0"])(
  "What a terminal would obey is quoted: %j",
  (name) => {
    const shown = printable(name);
    expect(shown).toMatch(/^"[\x20-\x7e]*"$/);
    expect(JSON.parse(shown)).toBe(name);
  },
);
