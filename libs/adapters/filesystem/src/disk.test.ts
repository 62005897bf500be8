import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keyOf } from "@graviton/cas/hasher";
import type { Locator } from "@graviton/ports/locator";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FilesystemBlockDriver } from "./block-driver.ts";
import { fileError } from "./file-error.ts";
import { FilesystemObjectStore } from "./object-store.ts";
import { canMountTinyDisk, mountTinyDisk } from "./testing/tiny-disk.ts";
import { fileFault, watchedFiles } from "./testing/watched-files.ts";

const bytes = randomBytes(300_000);
const key = keyOf("sha256", bytes);
const locator: Locator = { scheme: "fs", bucket: "b", path: "a/object" };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("Opening", () => {
  const openers = {
    blocks: (path: string) => FilesystemBlockDriver.open(path),
    objects: (path: string) => FilesystemObjectStore.open(path),
  };

  test.each(Object.entries(openers))(
    "a path that cannot be a folder of %s is UNAVAILABLE, by name",
    async (_, open) => {
      await writeFile(join(folder, "file"), "");
      const path = join(folder, "file", "store");
      await expect(open(path)).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: path });
    },
  );

  test.each(Object.entries(openers))(
    "a folder of %s in another format is refused, and left as it is",
    async (_, open) => {
      await (await open(folder))[Symbol.asyncDispose]();
      const [format] = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith("format"));
      await writeFile(join(folder, format as string), "graviton-something 2\n");
      await writeFile(join(folder, format as string, "..", "temporary", "leftover"), "");
      await expect(open(folder)).rejects.toMatchObject({
        reason: "UNSUPPORTED",
        message: expect.stringContaining("graviton-something 2"),
      });
      expect(await readdir(join(folder, format as string, "..", "temporary"))).toEqual(["leftover"]);
    },
  );

  test.each(Object.entries(openers))("a folder with content that is no folder of %s is refused", async (_, open) => {
    await writeFile(join(folder, "precious"), "");
    await expect(open(folder)).rejects.toMatchObject({ reason: "UNSUPPORTED" });
    expect(await readdir(folder)).toEqual(["precious"]);
  });

  test("a folder of blocks is none of objects, nor the other way round", async () => {
    await openers.blocks(join(folder, "blocks"));
    await expect(openers.objects(join(folder, "blocks"))).rejects.toMatchObject({ reason: "UNSUPPORTED" });
    await (await openers.objects(join(folder, "objects")))[Symbol.asyncDispose]();
    await expect(openers.blocks(join(folder, "objects"))).rejects.toMatchObject({ reason: "UNSUPPORTED" });
  });

  test("a second opener leaves alone what the first one is writing", async () => {
    await using first = await FilesystemObjectStore.open(folder);
    const opened = Promise.withResolvers<void>();
    async function* slow() {
      yield bytes;
      await opened.promise;
      yield bytes;
    }
    const putting = first.put(locator, slow());
    await using second = await FilesystemObjectStore.open(folder);
    opened.resolve();
    await putting;
    expect((await second.head(locator)).size).toBe(2 * bytes.length);
  });
});

test("Nothing is called absent when the whole folder is gone.", async () => {
  const path = join(folder, "store");
  const driver = await FilesystemBlockDriver.open(path);
  await using store = await FilesystemObjectStore.open(join(folder, "objects"));
  expect(await driver.read(key)).toBe(undefined);
  await rename(path, join(folder, "elsewhere"));
  await rm(join(folder, "objects"), { recursive: true });
  await expect(driver.read(key)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  await expect(driver.has([key])).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  await expect(driver.remove(key)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  await expect(store.head(locator)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  await expect(store.delete(locator)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
});

test.each([
  ["ENOSPC", "EXHAUSTED"],
  ["EDQUOT", "EXHAUSTED"],
  ["EMFILE", "EXHAUSTED"],
  ["ENFILE", "EXHAUSTED"],
  ["EACCES", "UNAVAILABLE"],
  ["EPERM", "UNAVAILABLE"],
  ["EROFS", "UNAVAILABLE"],
  ["EIO", "UNAVAILABLE"],
])("%s is %s, with its cause", (code, reason) => {
  const cause = fileFault(code);
  expect(fileError(cause, "/data")).toMatchObject({ reason, cause, resource: "/data" });
});

test("A file of the wrong size is not the block, and is replaced by the next write.", async () => {
  const driver = await FilesystemBlockDriver.open(folder);
  await driver.write(key, bytes);
  const [name] = (await readdir(join(folder, "blocks"), { recursive: true })).filter((name) => name.includes("sha256"));
  for (const wrong of [bytes.subarray(1), Buffer.concat([bytes, bytes])]) {
    await writeFile(join(folder, "blocks", name as string), wrong);
    expect(await driver.has([key])).toEqual([false]);
    expect(keyOf("sha256", (await driver.read(key)) ?? bytes)).not.toEqual(key);
  }
  await driver.write(key, bytes);
  expect(await driver.has([key])).toEqual([true]);
});

test("Every handle is closed, also of reads that stop early and of calls that fail.", async () => {
  let open = 0;
  const files = watchedFiles((operation) => {
    if (operation === "open") open += 1;
    if (operation === "handle.close") open -= 1;
  });
  const driver = await FilesystemBlockDriver.open(join(folder, "store"), files);
  await using store = await FilesystemObjectStore.open(join(folder, "objects"), { files });
  open = 0;
  await driver.write(key, bytes);
  await driver.read(key);
  await store.put(locator, streamOf(bytes, bytes));
  expect(open).toBe(0);
  for await (const frame of store.get(locator)) {
    expect(frame.length).toBeLessThanOrEqual(1024 * 1024);
    expect(open).toBe(1);
    break;
  }
  expect(open).toBe(0);
  await expect(store.get(locator, { offset: 10_000_000 })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    reason: "OUT_OF_RANGE",
  });
  await expect(store.put(locator, failing())).rejects.toThrow("the source fails");
  expect(open).toBe(0);
});

const possible = canMountTinyDisk();
const onTinyDisk = possible ? test : test.skip;
const unless = possible ? "" : " (skipped: only root may mount the small disk it needs)";

onTinyDisk(
  `On a full disk writes are EXHAUSTED, old data stays, nothing is left behind, and room is all it takes${unless}`,
  async () => {
    using disk = mountTinyDisk(4);
    const driver = await FilesystemBlockDriver.open(join(disk.path, "store"));
    await using store = await FilesystemObjectStore.open(join(disk.path, "objects"));
    await driver.write(key, bytes);
    await store.put(locator, streamOf(bytes));
    const ballast = join(disk.path, "ballast");
    await writeFile(ballast, Buffer.alloc(4 * 1024 * 1024)).catch(() => {});

    const other = randomBytes(1_000_000);
    const full = { reason: "EXHAUSTED", retryAfterMs: expect.any(Number) };
    await expect(driver.write(keyOf("sha256", other), other)).rejects.toMatchObject(full);
    await expect(store.put(locator, streamOf(other))).rejects.toMatchObject(full);
    expect(await readdir(join(disk.path, "store", "temporary"))).toEqual([]);
    expect(await readdir(join(disk.path, "objects", ".graviton", "temporary"))).toEqual([]);
    expect(await driver.has([key, keyOf("sha256", other)])).toEqual([true, false]);
    expect(await driver.read(key)).toEqual(new Uint8Array(bytes));
    expect((await store.head(locator)).size).toBe(bytes.length);

    await rm(ballast);
    await driver.write(keyOf("sha256", other), other);
    await store.put(locator, streamOf(other));
    expect((await store.head(locator)).size).toBe(other.length);
  },
);

onTinyDisk(`On a disk that became read-only writes are UNAVAILABLE, and reads go on${unless}`, async () => {
  using disk = mountTinyDisk(4);
  const driver = await FilesystemBlockDriver.open(disk.path);
  await driver.write(key, bytes);
  execFileSync("mount", ["-o", "remount,ro", disk.path]);
  await expect(driver.write(keyOf("blake3", bytes), bytes)).rejects.toMatchObject({
    reason: "UNAVAILABLE",
    message: expect.stringContaining("EROFS"),
  });
  expect(await driver.read(key)).toEqual(new Uint8Array(bytes));
});

async function* streamOf(...frames: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* frames;
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield bytes;
  throw new Error("the source fails");
}
