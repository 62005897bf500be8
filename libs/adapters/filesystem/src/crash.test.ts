import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { keyOf } from "@graviton/cas/hasher";
import { parseKey } from "@graviton/ports/key";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { FilesystemBlockDriver } from "./block-driver.ts";

const writer = fileURLToPath(new URL("testing/crash-writer.ts", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("A crash under load, over and over, costs no acknowledged block.", async () => {
  for (const count of [1, 20, 100]) {
    const { acknowledged, signal } = await run([folder], count);
    expect(signal).toBe("SIGKILL");
    expect(acknowledged.length).toBeGreaterThanOrEqual(count);
    await expectSound(acknowledged);
  }
}, 60_000);

test("A crash before any one file operation leaves nothing torn and nothing behind.", async () => {
  let leftovers = 0;
  for (let killAt = 1; ; killAt += 1) {
    const { acknowledged, signal } = await run([folder, String(killAt)]);
    leftovers += (await names("temporary")).length;
    await expectSound(acknowledged);
    if (signal === null) {
      expect(acknowledged.length).toBe(1);
      break;
    }
  }
  expect(leftovers).toBeGreaterThan(0);
}, 60_000);

/** What was acknowledged is there, what is visible is whole, and no temporary file outlives the opening. */
async function expectSound(acknowledged: readonly string[]): Promise<void> {
  const driver = await FilesystemBlockDriver.open(folder);
  expect(await names("temporary")).toEqual([]);
  expect(await driver.has(acknowledged.map(parseKey))).toEqual(acknowledged.map(() => true));
  for (const name of await names("blocks")) {
    if (!name.includes("blake3-")) continue;
    const key = parseKey(name.slice(name.indexOf("blake3-")).replaceAll("-", ":"));
    expect(keyOf("blake3", (await driver.read(key)) ?? Buffer.alloc(0))).toEqual(key);
  }
}

function names(part: string): Promise<string[]> {
  return readdir(join(folder, part), { recursive: true }).catch(() => []);
}

/** Runs the writer, kills it once it has acknowledged so many blocks, and gives all that it acknowledged. */
async function run(args: string[], killAfter = Number.POSITIVE_INFINITY) {
  const child = spawn(process.execPath, ["--no-warnings", writer, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const acknowledged: string[] = [];
  for await (const key of createInterface({ input: child.stdout })) {
    acknowledged.push(key);
    if (acknowledged.length === killAfter) child.kill("SIGKILL");
  }
  const [, signal] = (await exited) as [number | null, string | null];
  return { acknowledged, signal };
}
