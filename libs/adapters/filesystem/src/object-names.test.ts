import { join } from "node:path";
import { locatorSegmentBytesMax } from "@graviton/ports/limits";
import { expect, test } from "@jest/globals";
import { placeOf, segmentOfFile, segmentOfFolder } from "./object-names.ts";

const root = "/store";
const segments = [
  "a",
  "cat.jpg",
  "a~d",
  "a~f",
  "a~d~f",
  "a~f~f",
  "~d",
  "~f",
  "~",
  "a~",
  ".hidden",
  "%41",
  "a%2Fb",
  "...",
  "日本",
];

test("Names on the disk are the segments themselves, and folders have a mark.", () => {
  const { folder, name } = placeOf(root, { scheme: "fs", bucket: "photos", path: "2024/june/cat.jpg" });
  expect(join(folder, name)).toBe("/store/photos/2024~d/june~d/cat.jpg");
});

test("Every segment can be read back from its file's name and from its folder's.", () => {
  for (const segment of segments) {
    const { folder, name } = placeOf(root, { scheme: "fs", bucket: "b", path: `${segment}/${segment}` });
    expect(segmentOfFile(name)).toBe(segment);
    expect(segmentOfFolder(folder.slice("/store/b/".length))).toBe(segment);
  }
});

test("No two paths share a place, and no file has the place of a folder.", () => {
  const paths = segments.flatMap((first) => [first, ...segments.map((second) => `${first}/${second}`)]);
  const places = paths.map((path) => placeOf(root, { scheme: "fs", bucket: "b", path }));
  const files = places.map(({ folder, name }) => join(folder, name));
  expect(new Set(files).size).toBe(paths.length);
  const folders = new Set(places.map(({ folder }) => folder));
  expect(files.filter((file) => folders.has(file))).toEqual([]);
});

test("The longest segment fits the 255 bytes that file systems take, with its mark.", () => {
  const longest = `${"x".repeat(locatorSegmentBytesMax - 2)}~d`;
  const { folder, name } = placeOf(root, { scheme: "fs", bucket: "b", path: `${longest}/${longest}` });
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  expect(Buffer.byteLength(folder.slice("/store/b/".length))).toBeLessThanOrEqual(255);
});

test("A name that no segment has is nobody's.", () => {
  expect(segmentOfFile("a~d")).toBe(undefined);
  expect(segmentOfFile("a~f")).toBe(undefined);
  expect(segmentOfFolder("a")).toBe(undefined);
});
