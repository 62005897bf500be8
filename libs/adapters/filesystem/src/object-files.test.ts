import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator } from "@graviton/ports/locator";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FilesystemObjectStore } from "./object-store.ts";
import { watchedFiles } from "./testing/watched-files.ts";

let folder: string;
let root: string;
let store: FilesystemObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
  root = join(folder, "root");
  store = await FilesystemObjectStore.open(root);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("Objects are readable files, and an object stands beside the folder of the same name.", async () => {
  await put("photos", "the object photos");
  await put("photos/2024/cat.jpg", "a cat");
  expect(await readFile(join(root, "b", "photos"), "utf8")).toBe("the object photos");
  expect(await readFile(join(root, "b", "photos~d", "2024~d", "cat.jpg"), "utf8")).toBe("a cat");
});

test("The root may be reached through a link.", async () => {
  await put("a/b", "content");
  await symlink(root, join(folder, "link"));
  await using linked = await FilesystemObjectStore.open(join(folder, "link"));
  expect((await linked.head(at("a/b"))).size).toBe("content".length);
  await linked.put(at("a/c"), streamOf("more"));
  expect(await read("a/c")).toBe("more");
});

describe("A symbolic link below the root", () => {
  test("in place of an object is no object, and a put replaces the link, not what it leads to.", async () => {
    await writeFile(join(folder, "secret"), "secret");
    await put("a", "content");
    await symlink(join(folder, "secret"), join(root, "b", "link"));
    await expect(store.head(at("link"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(read("link")).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(store.copy(at("link"), at("copy"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect(await paths()).toEqual(["a"]);
    await put("link", "mine");
    expect(await read("link")).toBe("mine");
    expect(await readFile(join(folder, "secret"), "utf8")).toBe("secret");
  });

  test.each(["bucket", "folder"])("in place of a %s leads nowhere", async (what) => {
    await mkdir(join(folder, "outside", "sub~d"), { recursive: true });
    await writeFile(join(folder, "outside", "sub~d", "secret"), "secret");
    if (what === "bucket") await symlink(join(folder, "outside"), join(root, "b"));
    else await put("x/y", "content");
    if (what === "folder") await symlink(join(folder, "outside", "sub~d"), join(root, "b", "sub~d"));
    await expect(store.head(at("sub/secret"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(read("sub/secret")).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect(await paths("sub/")).toEqual([]);
    expect(await paths()).toEqual(what === "bucket" ? [] : ["x/y"]);
    await expect(put("sub/mine", "content")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await store.delete(at("sub/secret"));
    expect(await readdir(join(folder, "outside", "sub~d"))).toEqual(["secret"]);
    expect(await readdir(join(root, ".graviton", "temporary"))).toEqual([]);
  });
});

test("What somebody else put into the folders is passed over.", async () => {
  await put("a/b", "content");
  await mkdir(join(root, "b", "no mark"));
  await writeFile(join(root, "b", "no mark", "c"), "");
  await writeFile(join(root, "b", "white space"), "");
  await writeFile(join(root, "b", "x~d"), "");
  expect(await paths()).toEqual(["a/b"]);
  await expect(store.head(at("x"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
});

test("Listing is in the byte order of the paths, not in that of the names on the disk.", async () => {
  const unordered = ["a", "a/b", "a!", "a-b", "a.b/c", "a0", "a/b/c", "a~d", "ä", "￿", "😀", "A"];
  for (const path of unordered) await put(path, path);
  const ordered = unordered.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(await paths()).toEqual(ordered);
  for (const [index, after] of ordered.entries()) {
    expect(await paths("", after)).toEqual(ordered.slice(index + 1));
  }
});

test("Listing reads only the folders that can hold what is asked for.", async () => {
  for (const path of ["a/1", "a/x/1", "b/1", "b/x/1", "b/y/1", "c/1"]) await put(path, path);
  const read: string[] = [];
  const files = watchedFiles((operation, path) => {
    if (operation === "readdir") read.push(path.slice(root.length));
  });
  await using watched = await FilesystemObjectStore.open(root, { files });
  const list = async (path: string, after?: string) => {
    read.length = 0;
    for await (const _ of watched.list(at(path), { after }));
    return read;
  };
  expect(await list("b/x/")).toEqual(["/b/b~d/x~d"]);
  expect(await list("b/", "b/x/1")).toEqual(["/b/b~d", "/b/b~d/x~d", "/b/b~d/y~d"]);
  expect(await list("", "b/y/0")).toEqual(["/b", "/b/b~d", "/b/b~d/y~d", "/b/c~d"]);
});

test("A reader streams the version that it began with, while the object is replaced and deleted.", async () => {
  const old = "old ".repeat(300_000);
  await put("a", old);
  const frames = store.get(at("a"))[Symbol.asyncIterator]();
  const read = [Buffer.from((await frames.next()).value as Uint8Array)];
  await put("a", "new");
  await store.delete(at("a"));
  for (let step = await frames.next(); !step.done; step = await frames.next()) read.push(Buffer.from(step.value));
  expect(Buffer.concat(read).toString() === old).toBe(true);
});

test("A delete removes the folders that it leaves empty, and no others.", async () => {
  await put("a/b/c/1", "1");
  await put("a/2", "2");
  await store.delete(at("a/b/c/1"));
  expect(await readdir(join(root, "b", "a~d"))).toEqual(["2"]);
  await store.delete(at("a/2"));
  expect(await readdir(root)).toEqual([".graviton"]);
});

test("Puts and deletes that make and remove the same folders all succeed.", async () => {
  const work = async (worker: number) => {
    for (let round = 0; round < 40; round += 1) {
      await put(`a/b/${worker}`, "content");
      expect(await read(`a/b/${worker}`)).toBe("content");
      await store.delete(at(`a/b/${worker}`));
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, worker) => work(worker)));
  expect(await paths()).toEqual([]);
});

test("No two of many versions stored in one moment share an etag.", async () => {
  await using still = await FilesystemObjectStore.open(root, { now: () => 1_700_000_000_000 });
  const etags = new Set<string>();
  for (let version = 0; version < 50; version += 1) etags.add((await still.put(at("a"), streamOf("same"))).etag);
  expect(etags.size).toBe(50);
  expect((await still.head(at("a"))).modifiedAt).toBe(1_700_000_000_000);
});

test("A put that may only create leaves no temporary file, whether it creates or not.", async () => {
  await store.put(at("a"), streamOf("content"), { ifAbsent: true });
  const late = async function* () {
    yield Buffer.from("late");
    await put("c", "content");
  };
  await expect(store.put(at("c"), late(), { ifAbsent: true })).rejects.toMatchObject({ reason: "ALREADY_EXISTS" });
  expect(await read("c")).toBe("content");
  expect(await readdir(join(root, ".graviton", "temporary"))).toEqual([]);
});

function at(path: string): Locator {
  return { scheme: "fs", bucket: "b", path };
}

async function put(path: string, content: string): Promise<void> {
  await store.put(at(path), streamOf(content));
}

async function read(path: string): Promise<string> {
  const frames: Uint8Array[] = [];
  for await (const frame of store.get(at(path))) frames.push(frame);
  return Buffer.concat(frames).toString();
}

async function paths(prefix = "", after?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { locator } of store.list(at(prefix), { after })) found.push(locator.path);
  return found;
}

async function* streamOf(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}
