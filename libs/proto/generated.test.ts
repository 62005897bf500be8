import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "../..");
const bin = join(root, "node_modules/.bin");

test("generating the TypeScript of the wire again changes nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graviton-generated-"));
  try {
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    await promisify(execFile)(join(bin, "buf"), ["generate", "--output", folder], { cwd: root, env });
    expect(await contents(join(folder, "libs/proto/src"))).toEqual(await contents(join(import.meta.dirname, "src")));
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);

async function contents(folder: string): Promise<Record<string, string>> {
  const paths = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith(".ts")).sort();
  const texts = await Promise.all(paths.map((path) => readFile(join(folder, path), "utf8")));
  return Object.fromEntries(paths.map((path, index) => [path, texts[index] ?? ""]));
}
