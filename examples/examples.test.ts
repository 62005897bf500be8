import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runGraviton } from "@graviton/cli/testing/run-graviton";
import { ServerProcess } from "@graviton/cli/testing/server-process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { examples } from "./run-examples.ts";

/** The first run on a machine fetches and compiles what the example stands on. */
const buildMs = 600_000;

let folder: string;
let server: ServerProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-examples-"));
  server = await ServerProcess.start(join(folder, "data"));
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe.each(examples)("The example in $language", ({ language, lacks, run }) => {
  const reason = lacks();

  testUnless(reason)(
    "stores a file under the key that others give it, reads its middle, and finds it listed",
    async () => {
      const file = join(folder, language);
      const content = randomBytes(3_000_001);
      await writeFile(file, content);
      const first = await run(server.endpoint, file);
      const { stdout } = await runGraviton(["put", file, "--json"], { endpoint: server.endpoint });
      const { key, freshBlocks } = JSON.parse(stdout);
      expect(freshBlocks).toBe(0);
      const said = (state: string) => [
        `Stored ${key}, ${state}`,
        `Read 16 bytes from 1500000 on: ${content.subarray(1_500_000, 1_500_016).toString("hex")}`,
        "Listed with it",
        "",
      ];
      expect(first.split("\n")).toEqual(said("new"));
      expect((await run(server.endpoint, file)).split("\n")).toEqual(said("there already"));
    },
  );

  testUnless(reason)("says why it failed", async () => {
    await expect(run(server.endpoint, join(folder, "none"))).rejects.toThrow(/no such file/i);
  });
});

/** A test that shows as skipped, with the reason in its name, where there is one; on a CI it fails then. */
function testUnless(reason: string | undefined): (says: string, check: () => Promise<void>) => void {
  if (reason === undefined) return (says, check) => test(says, check, buildMs);
  if (process.env.CI) return (says) => test(`${says} (${reason})`, () => Promise.reject(new Error(reason)));
  return (says) => test.skip(`${says} (skipped: ${reason})`, () => {});
}
