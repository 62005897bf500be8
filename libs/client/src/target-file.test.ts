import {
  chmod,
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { writeTargetFile } from "./target-file.ts";

function scratchFolder() {
  return mkdtempDisposable(join(tmpdir(), "graviton-target-"));
}

async function* streamOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* failingAfter(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
  throw new Error("the source breaks off");
}

test("The file appears whole, and nothing else is left", async () => {
  await using folder = await scratchFolder();
  await writeTargetFile(join(folder.path, "copy"), streamOf("ab", "", "cd"));
  expect(await readFile(join(folder.path, "copy"), "utf8")).toBe("abcd");
  expect(await readdir(folder.path)).toEqual(["copy"]);
});

test("A source that fails leaves the old file as it was, and no temporary one", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "copy");
  await writeFile(path, "old");
  await expect(writeTargetFile(path, failingAfter("new"))).rejects.toThrow("the source breaks off");
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(folder.path)).toEqual(["copy"]);
});

test("A file that is replaced keeps its permissions, and a link to it stays a link", async () => {
  await using folder = await scratchFolder();
  const [path, link] = [join(folder.path, "secret"), join(folder.path, "link")];
  await writeFile(path, "old");
  await chmod(path, 0o600);
  await symlink("secret", link);
  await writeTargetFile(link, streamOf("new"));
  expect(await readlink(link)).toBe("secret");
  expect(await readFile(path, "utf8")).toBe("new");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("A file may have the longest name that there is", async () => {
  await using folder = await scratchFolder();
  const name = "\u6f22".repeat(85);
  await writeTargetFile(join(folder.path, name), streamOf("x"));
  expect(await readdir(folder.path)).toEqual([name]);
});

test("A folder is refused and named", async () => {
  await using folder = await scratchFolder();
  await mkdir(join(folder.path, "sub"));
  await expect(writeTargetFile(join(folder.path, "sub"), streamOf("x"))).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
    resource: join(folder.path, "sub"),
  });
});

test("A folder that is not there is named", async () => {
  await using folder = await scratchFolder();
  const writing = writeTargetFile(join(folder.path, "nowhere/copy"), streamOf("x"));
  await expect(writing).rejects.toThrow(/its folder does not exist/);
});

test("A device is written to and not replaced", async () => {
  await writeTargetFile("/dev/null", streamOf("x"));
  expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
});
