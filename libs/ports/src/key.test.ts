import { describe, expect, test } from "@jest/globals";
import { checkKeyInto, formatKey, makeKey, parseKey } from "./key.ts";

const digest = "0123456789abcdef".repeat(4);

describe("The text form of a key", () => {
  test.each([0, 1, 262_144, Number.MAX_SAFE_INTEGER])("gives the key of %d bytes back", (size) => {
    for (const algorithm of ["blake3", "sha256"]) {
      const key = makeKey(algorithm, digest, size);
      expect(parseKey(formatKey(key))).toEqual(key);
    }
  });

  test.each(["/", ":", "`", "g", "A", "F", " ", "\n", "\0", "é", "０", "\u{10d30}"])(
    "has no digest with %j",
    (digit) => {
      for (const at of [0, 1, 31, 62, 63]) {
        const wrong = digest.slice(0, at) + digit + digest.slice(at + digit.length);
        expect(() => makeKey("blake3", wrong, 1)).toThrow(expect.objectContaining({ reason: "INVALID_ARGUMENT" }));
      }
    },
  );

  test.each(["", digest.slice(1), `${digest}0`, `${digest}\n`])("has no digest of another length: %j", (wrong) => {
    expect(() => parseKey(`blake3:${wrong}:1`)).toThrow("64 lower-case hexadecimal digits");
  });

  test.each(["", "-1", "+1", "01", "1.0", "1e3", "9007199254740992", "0x10", " 1"])("has no size %j", (size) => {
    expect(() => parseKey(`blake3:${digest}:${size}`)).toThrow("size");
  });

  test.each(["", "blake3", `blake3:${digest}`, `blake3:${digest}:1:`, `md5:${digest}:1`, `BLAKE3:${digest}:1`])(
    "is not %j",
    (text) => {
      expect(() => parseKey(text)).toThrow(expect.objectContaining({ reason: "INVALID_ARGUMENT" }));
    },
  );
});

describe("A key that is checked into bytes", () => {
  test("leaves those of its digest from the offset on, and touches no other", () => {
    const bytes = Buffer.alloc(36, 0xee);
    const key = makeKey("sha256", digest, 1);
    expect(checkKeyInto(key, bytes, 3)).toEqual(key);
    expect(bytes.toString("hex")).toBe(`eeeeee${digest}ee`);
  });
});
