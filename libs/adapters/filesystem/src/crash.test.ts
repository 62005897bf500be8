import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { keyOf } from "@graviton/cas/hasher";
import { parseKey } from "@graviton/ports/key";
import { expect, test } from "@jest/globals";
import { FilesystemBlockDriver } from "./block-driver.ts";

const writer = fileURLToPath(new URL("crash-writer.ts", import.meta.url));

test("After a kill every acknowledged block is there, every visible one is whole, and no temporary file outlives the next opening.", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
  let leftovers = 0;
  for (const acknowledgedMin of [1, 20, 100]) {
    const acknowledged = await killAfter(acknowledgedMin, folder);
    leftovers += (await readdir(join(folder, "temporary"))).length;
    const driver = await FilesystemBlockDriver.open(folder);
    expect(await readdir(join(folder, "temporary"))).toEqual([]);
    expect(await driver.has(acknowledged.map(parseKey))).toEqual(acknowledged.map(() => true));
    for (const name of await readdir(join(folder, "blocks"), { recursive: true })) {
      if (!name.includes("blake3-")) continue;
      const key = parseKey(name.slice(name.indexOf("blake3-")).replaceAll("-", ":"));
      expect(keyOf("blake3", (await driver.read(key)) ?? Buffer.alloc(0))).toEqual(key);
    }
  }
  // Otherwise the kills came too conveniently to show anything.
  expect(leftovers).toBeGreaterThan(0);
  await rm(folder, { recursive: true });
}, 60_000);

/** Runs the writer until it has acknowledged so many blocks, kills it, and gives all that it acknowledged. */
async function killAfter(count: number, folder: string): Promise<string[]> {
  const child = spawn(process.execPath, ["--no-warnings", writer, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const keys: string[] = [];
  for await (const key of createInterface({ input: child.stdout })) {
    keys.push(key);
    if (keys.length === count) child.kill("SIGKILL");
  }
  expect(await exited).toEqual([null, "SIGKILL"]);
  return keys;
}
