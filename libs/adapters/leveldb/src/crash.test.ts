import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { LevelKeyValueStore } from "./key-value-store.ts";
import { testFolder } from "./testing/test-folder.ts";

const writer = fileURLToPath(new URL("testing/crash-writer.ts", import.meta.url));

test("What was acknowledged is there after the process was killed, over and over, and no repair is needed.", async () => {
  await using folder = await testFolder();
  for (const acknowledgedMin of [1, 50, 500]) {
    const names = await killAfter(acknowledgedMin, folder.path);
    await using store = await LevelKeyValueStore.open(folder.path);
    for (const name of names) {
      expect(Buffer.from((await store.get(name)) ?? "").toString()).toBe(`the value of ${name}`);
    }
    for await (const { key, value } of store.scan({})) {
      expect(Buffer.from(value).toString()).toBe(`the value of ${key}`);
    }
  }
}, 60_000);

/** Runs the writer until it has acknowledged so many pairs, kills it, and gives all that it acknowledged. */
async function killAfter(count: number, folder: string): Promise<string[]> {
  const child = spawn(process.execPath, ["--no-warnings", writer, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const names: string[] = [];
  for await (const name of createInterface({ input: child.stdout })) {
    names.push(name);
    if (names.length === count) child.kill("SIGKILL");
  }
  expect(await exited).toEqual([null, "SIGKILL"]);
  return names;
}
