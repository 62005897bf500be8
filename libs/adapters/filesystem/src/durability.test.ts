import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keyOf } from "@graviton/cas/hasher";
import type { Locator } from "@graviton/ports/locator";
import { hasReason } from "@graviton/ports/storage-error";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FilesystemBlockDriver } from "./block-driver.ts";
import { FilesystemObjectStore } from "./object-store.ts";
import { Fault, type Watch, watchedFiles } from "./testing/watched-files.ts";

const bytes = Buffer.from("a block of bytes");
const key = keyOf("blake3", bytes);
const old = Buffer.from("the old version");
const fresh = Buffer.from("the new version, which is longer");
const idLine = expect.stringMatching(/^[0-9a-f]{32}\n$/);
const locator: Locator = { scheme: "fs", bucket: "photos", path: "2024/june/cat.jpg" };
const copied: Locator = { ...locator, path: "2025/copy.jpg" };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** What a store does once, and what must hold after the disk failed it. */
interface Scenario {
  readonly temporary: string;
  /** What is there before the disk begins to fail. */
  prepare(): Promise<void>;
  /** The work, on files that fail. */
  work(watch: Watch): Promise<void>;
  /** Nothing half-written is visible. */
  expectWhole(): Promise<void>;
  /** The work has been done. */
  expectDone(): Promise<void>;
}

const scenarios: Record<string, () => Scenario> = {
  "write of a block": () => ({
    temporary: "temporary",
    prepare: async () => {},
    work: async (watch) => (await FilesystemBlockDriver.open(folder, watchedFiles(watch))).write(key, bytes),
    expectWhole: async () => expect([undefined, text(bytes)]).toContain(text(await readBlock())),
    expectDone: async () => expect(text(await readBlock())).toBe(text(bytes)),
  }),
  "making of an id": () => ({
    temporary: "temporary",
    prepare: async () => void (await FilesystemBlockDriver.open(folder)),
    work: async (watch) => void (await (await FilesystemBlockDriver.open(folder, watchedFiles(watch))).id()),
    expectWhole: async () => expect([undefined, idLine]).toContainEqual(await readId()),
    expectDone: async () => expect(await readId()).toEqual(idLine),
  }),
  "put that replaces an object": () => ({
    temporary: ".graviton/temporary",
    prepare: () => putObject(old),
    work: (watch) => putObject(fresh, watch),
    expectWhole: async () => expect([text(old), text(fresh)]).toContain(await readObject(locator)),
    expectDone: async () => expect(await readObject(locator)).toBe(text(fresh)),
  }),
  "copy of an object": () => ({
    temporary: ".graviton/temporary",
    prepare: () => putObject(old),
    work: async (watch) => {
      await using store = await FilesystemObjectStore.open(folder, { files: watchedFiles(watch) });
      await store.copy(locator, copied);
    },
    expectWhole: async () => {
      expect(await readObject(locator)).toBe(text(old));
      expect([undefined, text(old)]).toContain(await readObject(copied));
    },
    expectDone: async () => expect(await readObject(copied)).toBe(text(old)),
  }),
  "delete of an object": () => ({
    temporary: ".graviton/temporary",
    prepare: () => putObject(old),
    work: async (watch) => {
      await using store = await FilesystemObjectStore.open(folder, { files: watchedFiles(watch) });
      await store.delete(locator);
    },
    expectWhole: async () => expect([undefined, text(old)]).toContain(await readObject(locator)),
    expectDone: async () => expect(await readObject(locator)).toBe(undefined),
  }),
};

describe.each(Object.keys(scenarios))("A %s", (name) => {
  const scenario = () => (scenarios[name] as () => Scenario)();

  test("keeps everything whole whichever single operation fails, and a second try succeeds", async () => {
    await expectSurvives(scenario(), (n) => Fault.once(n));
  });

  test("keeps everything whole when the disk dies at any point, and a second try succeeds once it is back", async () => {
    await expectSurvives(scenario(), (n) => Fault.from(n));
  });
});

async function expectSurvives(scenario: Scenario, faultAt: (n: number) => Fault): Promise<void> {
  for (let n = 1; ; n += 1) {
    await rm(folder, { recursive: true });
    await scenario.prepare();
    const fault = faultAt(n);
    const error = await scenario.work(fault.watch).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (fault.failed.length === 0) {
      expect(n).toBeGreaterThan(10);
      return;
    }
    if (error !== undefined) expect(hasReason(error, "UNAVAILABLE")).toBe(true);
    if (!fault.failed.includes("unlink")) expect(await temporaryFiles(scenario)).toEqual([]);
    await scenario.expectWhole();
    if (error === undefined) await scenario.expectDone();
    await scenario.work(() => {});
    await scenario.expectDone();
  }
}

describe("What is acknowledged is durable", () => {
  test("a block is written, flushed, renamed, and its folder and the new folders above it flushed, in that order", async () => {
    const { watch, log } = recorder();
    const driver = await FilesystemBlockDriver.open(folder, watchedFiles(watch));
    log.length = 0;
    await driver.write(key, bytes);
    log.push("resolve");

    const place = `blocks/${key.digest.slice(0, 2)}`;
    expect(log).toEqual([
      "open temporary/*",
      "handle.write temporary/*",
      "handle.sync temporary/*",
      "handle.close temporary/*",
      "mkdir blocks",
      "open .",
      "handle.sync .",
      "handle.close .",
      `mkdir ${place}`,
      "open blocks",
      "handle.sync blocks",
      "handle.close blocks",
      `rename ${place}/blake3-${key.digest}-${key.size}`,
      `open ${place}`,
      `handle.sync ${place}`,
      `handle.close ${place}`,
      "resolve",
    ]);
  });

  test("an object is written, flushed, renamed and its folder flushed, in that order", async () => {
    const { watch, log } = recorder();
    await using store = await FilesystemObjectStore.open(folder, { files: watchedFiles(watch) });
    log.length = 0;
    await store.put(locator, streamOf(fresh));
    log.push("resolve");

    const steps = ["handle.write", "handle.sync .graviton/temporary/*", "rename", "handle.sync photos/2024~d/june~d"];
    const order = [...steps, "resolve"].map((step) => log.findIndex((line) => line.startsWith(step)));
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  test("a block that was renamed but not flushed is not called stored until its folder is flushed", async () => {
    let failing = false;
    const watch: Watch = (operation, path) => {
      if (failing && operation === "handle.sync" && path.includes("blocks/")) throw new Error("the flush fails");
    };
    const driver = await FilesystemBlockDriver.open(folder, watchedFiles(watch));
    failing = true;
    await expect(driver.write(key, bytes)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await expect(driver.has([key])).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    failing = false;
    expect(await driver.has([key])).toEqual([true]);
  });

  test("a block that another process left behind is called stored only after a flush of its folder", async () => {
    await (await FilesystemBlockDriver.open(folder)).write(key, bytes);
    const { watch, log } = recorder();
    const driver = await FilesystemBlockDriver.open(folder, watchedFiles(watch));
    log.length = 0;
    expect(await driver.has([key])).toEqual([true]);
    expect(log).toContain(`handle.sync blocks/${key.digest.slice(0, 2)}`);
    log.length = 0;
    expect(await driver.has([key])).toEqual([true]);
    expect(log.filter((line) => line.startsWith("handle.sync"))).toEqual([]);
  });
});

function recorder(): { watch: Watch; log: string[] } {
  const log: string[] = [];
  const watch: Watch = (operation, path) => {
    const place = path === folder ? "." : path.replace(`${folder}/`, "").replace(/(temporary\/).*/, "$1*");
    log.push(`${operation} ${place}`);
  };
  return { watch, log };
}

async function temporaryFiles(scenario: Scenario): Promise<string[]> {
  return readdir(join(folder, scenario.temporary)).catch(() => []);
}

async function readId(): Promise<string | undefined> {
  return readFile(join(folder, "id"), "utf8").catch(() => undefined);
}

async function readBlock(): Promise<Uint8Array | undefined> {
  return (await FilesystemBlockDriver.open(folder)).read(key);
}

async function putObject(content: Uint8Array, watch: Watch = () => {}): Promise<void> {
  await using store = await FilesystemObjectStore.open(folder, { files: watchedFiles(watch) });
  await store.put(locator, streamOf(content));
}

async function readObject(from: Locator): Promise<string | undefined> {
  await using store = await FilesystemObjectStore.open(folder);
  const frames: Uint8Array[] = [];
  try {
    for await (const frame of store.get(from)) frames.push(frame);
  } catch (error) {
    if (hasReason(error, "NOT_FOUND")) return undefined;
    throw error;
  }
  return Buffer.concat(frames).toString();
}

function text(content: Uint8Array | undefined): string | undefined {
  return content === undefined ? undefined : Buffer.from(content).toString();
}

async function* streamOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
