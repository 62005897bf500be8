import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { uploadOfFile } from "./uploads.ts";

test("A file can be sent again from its beginning, a pipe cannot: what was read of it is gone", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graviton-uploads-"));
  await writeFile(join(folder, "file"), "content");
  execFileSync("mkfifo", [join(folder, "pipe")]);
  expect(await uploadOfFile(join(folder, "file"))).toMatchObject({ repeatable: true, totalBytes: 7 });
  expect(await uploadOfFile(join(folder, "pipe"))).toMatchObject({ repeatable: false, totalBytes: undefined });
  await rm(folder, { recursive: true });
});
