import { randomBytes } from "node:crypto";
import { blockBytesMax, manifestPageEntries } from "@graviton/ports/limits";
import { expect, test } from "@jest/globals";
import { decodeHeader, encodeHeader, generationBytes } from "./manifest-header.ts";
import { decodePage, encodePage } from "./manifest-page.ts";

test.each(["blake3", "sha256"] as const)(
  "A page of %s blocks is packed in 36 bytes an entry and read back.",
  (algorithm) => {
    const first = 2 ** 40;
    const page = Array.from({ length: manifestPageEntries }, (_, index) => ({
      index: 5_000_000 + index,
      offset: first + index * blockBytesMax,
      block: { algorithm, digest: randomBytes(32).toString("hex"), size: blockBytesMax },
    }));
    const content = encodePage(page);
    expect(content.length).toBe(18 + 36 * manifestPageEntries);
    expect(decodePage(content)).toEqual(page);
  },
);

test("A page of another version, or of an unknown algorithm, is refused as UNSUPPORTED.", () => {
  const block = { algorithm: "sha256", digest: "0".repeat(64), size: 1 } as const;
  for (const at of [0, 1]) {
    const content = encodePage([{ index: 0, offset: 0, block }]);
    content[at] = 9;
    expect(() => decodePage(content)).toThrow(expect.objectContaining({ reason: "UNSUPPORTED" }));
  }
});

test("A header of another version is refused as UNSUPPORTED.", () => {
  const key = { algorithm: "sha256", digest: "0".repeat(64), size: 1 } as const;
  const info = { advertised: { name: "a" }, confirmed: { key, blockCount: 1, createdAt: 1 } };
  const header = { info, generation: randomBytes(generationBytes) };
  const content = encodeHeader(header);
  expect(decodeHeader(key, content)).toEqual(header);
  content[0] = 2;
  expect(() => decodeHeader(key, content)).toThrow(expect.objectContaining({ reason: "UNSUPPORTED" }));
});
