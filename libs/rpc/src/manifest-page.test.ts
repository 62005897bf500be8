import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ManifestEntry } from "@graviton/ports/manifest";
import { ManifestPageSchema } from "@graviton/proto/graviton/core/v1/core_pb";
import { expect, test } from "@jest/globals";
import { pageFromWire, pagesOf, pageToWire } from "./manifest-page.ts";

function entries(count: number, firstIndex = 0, firstOffset = 0): ManifestEntry[] {
  let offset = firstOffset;
  return Array.from({ length: count }, (_, n) => {
    const size = (n % 7) + 1;
    const digest = (firstIndex + n).toString(16).padStart(64, "0");
    const entry: ManifestEntry = { index: firstIndex + n, offset, block: { algorithm: "blake3", digest, size } };
    offset += size;
    return entry;
  });
}

test.each([0, 1, 1024])("A page of %i entries comes over the wire as it was", (count) => {
  const page = entries(count, 5000, 2 ** 50);
  const bytes = toBinary(ManifestPageSchema, create(ManifestPageSchema, pageToWire(page)));
  expect(pageFromWire(fromBinary(ManifestPageSchema, bytes))).toEqual(page);
});

test("A full page takes 33 bytes an entry and a few", () => {
  const bytes = toBinary(ManifestPageSchema, create(ManifestPageSchema, pageToWire(entries(1024))));
  expect(bytes.length).toBeLessThan(1024 * 33 + 40);
});

const digests = new Uint8Array(32);

test.each<[string, MessageInitShape<typeof ManifestPageSchema>, RegExp]>([
  [
    "more entries than a page has",
    { digests: new Uint8Array(32 * 1025), sizes: new Array(1025).fill(1) },
    /1025 entries/,
  ],
  ["digests cut short", { digests: digests.subarray(1), sizes: [1] }, /31 bytes of digests/],
  ["a digest without a size", { digests, sizes: [] }, /32 bytes of digests/],
  ["an empty block", { digests, sizes: [0] }, /not 0/],
  ["a block over the limit", { digests, sizes: [16_777_217] }, /not 16777217/],
  ["no algorithm", { algorithm: 0, digests, sizes: [1] }, /algorithm/],
  ["an offset beyond 2^53 - 1", { firstOffset: 2n ** 53n, digests, sizes: [1] }, /first offset/],
])("A page with %s is INVALID_ARGUMENT", (_, init, message) => {
  const page = create(ManifestPageSchema, { algorithm: 1, ...init });
  expect(() => pageFromWire(page)).toThrow(expect.objectContaining({ reason: "INVALID_ARGUMENT" }));
  expect(() => pageFromWire(page)).toThrow(message);
});

test("Entries are cut into full pages and a rest", () => {
  const all = entries(2050);
  const pages = [...pagesOf(all)];
  expect(pages.map((page) => page.length)).toEqual([1024, 1024, 2]);
  expect(pages.flat()).toEqual(all);
});
