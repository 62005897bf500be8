import { createHash } from "node:crypto";
import { locatorPathBytesMax, locatorSegmentBytesMax } from "@graviton/ports/limits";
import type { Locator } from "@graviton/ports/locator";
import { expect, test } from "@jest/globals";
import { S3Bucket } from "./bucket.ts";
import { prefixBytesMax } from "./limits.ts";
import { keyOf, metadataOf, objectsOf, pathIn, pathOf } from "./object-keys.ts";
import { S3ObjectStore } from "./object-store.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { ownPrefix } from "./testing/s3-subject.ts";

const bucket = "b";
const at = (path: string): Locator => ({ scheme: "s3", bucket, path });
const short = [
  ...[
    "a",
    "a!",
    "a!!",
    "a!b",
    'a"',
    "a#",
    "a-b",
    "a.b",
    "a/b",
    "a/b!",
    "a/b/c",
    "a!/b",
    "a!!/b",
    "a0",
    "ab",
    "!",
    "!!",
  ],
  ...["!/!", "é", "e", "日本/😀", "\u{10ffff}", "\uff61"],
];

/** Paths that begin alike for longer than a key may be, with characters of one to four bytes where keys are cut. */
const alike = (() => {
  const begin = [..."abc"].map((letter) => letter.repeat(locatorSegmentBytesMax)).join("/");
  const paths = [184, 185, 186, 187, 188, 189].flatMap((length) =>
    ["", "!", "x", "é", "日", "😀"].flatMap((next) =>
      ["", "/x", "/😀", "/é/!"].map((end) => `${begin}/${"d".repeat(length)}${next}${end}`),
    ),
  );
  const long = `${begin}/${"d".repeat(187)}/`;
  return [...new Set([...paths, long + "e".repeat(200), `${long}${"e".repeat(199)}f`])];
})();

test("A key says its path, keys sort as paths do, and none is a folder of another.", () => {
  const keys = inOrder(short.map((path) => keyOf("p/", at(path))));
  expect(keys.map((key) => pathOf(key.slice(objectsOf("p/", bucket).length)))).toEqual(inOrder(short));
  for (const key of keys) expect(keys.filter((other) => other.startsWith(`${key}/`))).toEqual([]);
});

test("The longest path makes a key that S3 takes, and is in the metadata.", () => {
  const segment = "!".repeat(locatorSegmentBytesMax);
  const path = `${[segment, segment, segment, segment, segment].join("/")}/${"😀".repeat(4)}x`.padEnd(1024, "y");
  expect(Buffer.byteLength(path)).toBeGreaterThan(locatorPathBytesMax);
  const locator = { ...at(path), bucket: "x".repeat(63) };
  expect(Buffer.byteLength(keyOf("p".repeat(prefixBytesMax), locator))).toBeLessThanOrEqual(1024);
  expect(pathIn(metadataOf(locator))).toBe(path);
  expect(keyOf("", locator)).toContain(createHash("sha256").update(path).digest("hex"));
});

describeS3("Keys of objects", (s3) => {
  test("Long paths that begin alike are listed in order, and from each of them on.", async () => {
    await using bucketOfS3 = S3Bucket.open(ownPrefix(s3()));
    await using store = new S3ObjectStore(bucketOfS3);
    const paths = inOrder([...alike, ...short]);
    await Promise.all(paths.map((path) => store.put(at(path), one(path))));
    expect(await listed(store, "")).toEqual(paths);
    for (const path of ["a/b", ...alike]) {
      expect(await listed(store, "", path)).toEqual(paths.slice(paths.indexOf(path) + 1));
    }
    for (const prefix of ["a!", "a/", alike[30] as string]) {
      expect(await listed(store, prefix)).toEqual(paths.filter((path) => path.startsWith(prefix)));
    }
    for (const path of alike) {
      expect(Buffer.concat(await Array.fromAsync(store.get(at(path)))).toString()).toBe(path);
    }
    const [long = "", other = ""] = alike.slice(-2);
    await store.copy(at(long), at(other));
    await store.delete(at(long));
    expect(await listed(store, "")).toEqual(paths.filter((path) => path !== long));
  });
});

async function listed(store: S3ObjectStore, prefix: string, after?: string): Promise<string[]> {
  const infos = await Array.fromAsync(store.list(at(prefix), { after }));
  return infos.map(({ locator }) => locator.path);
}

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function inOrder(texts: readonly string[]): string[] {
  return texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
