import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type RunOptions, runGraviton } from "./testing/run-graviton.ts";
import { ScratchFolder } from "./testing/scratch-folder.ts";
import { ServerProcess } from "./testing/server-process.ts";

// Each run of the command is a process of its own, and the machine may be busy.
jest.setTimeout(60_000);

let data: ScratchFolder;
let server: ServerProcess;

beforeAll(async () => {
  data = await ScratchFolder.make();
  server = await ServerProcess.start(data.path);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await data[Symbol.asyncDispose]();
});

const run = (args: readonly string[], input?: RunOptions["input"]) => {
  return runGraviton(args, { endpoint: server.endpoint, ...(input === undefined ? {} : { input }) });
};

test("An object is put, found, copied, read in part, and removed", async () => {
  await using folder = await ScratchFolder.make();
  const bytes = randomBytes(1_500_000);
  await writeFile(folder.at("cat.jpg"), bytes);
  const [cat, copy] = ["fs://photos/2026/cat.jpg", "fs://photos/2026/copy.jpg"];

  expect(await run(["object", "put", cat, folder.at("cat.jpg")])).toMatchObject({ code: 0, stdout: `${cat}\n` });
  expect((await run(["object", "get", cat])).bytes.equals(bytes)).toBe(true);
  expect(JSON.parse((await run(["object", "head", cat, "--json"])).stdout)).toMatchObject({
    locator: cat,
    size: 1_500_000,
  });
  expect((await run(["object", "cp", cat, copy])).code).toBe(0);
  expect((await run(["object", "ls", "fs://photos"])).stdout).toBe(`${cat}\n${copy}\n`);
  expect((await run(["object", "ls", "fs://photos/2026/c", "--after", "2026/cat.jpg"])).stdout).toBe(`${copy}\n`);

  const part = await run(["object", "get", copy, "--offset", "10", "--length", "20", "-o", folder.at("part")]);
  expect(part.code).toBe(0);
  expect((await readFile(folder.at("part"))).equals(bytes.subarray(10, 30))).toBe(true);

  expect((await run(["object", "put", cat, "-", "--if-absent"], "other")).code).toBe(1);
  expect((await run(["object", "rm", cat, copy])).code).toBe(0);
  expect((await run(["object", "get", cat])).code).toBe(3);
  expect((await run(["object", "ls", "fs://photos"])).stdout).toBe("");
});

test("An object of another technology, or with a malformed name, exits with 2", async () => {
  expect((await run(["object", "head", "mem://bucket/x"])).code).toBe(2);
  expect((await run(["object", "head", "fs://bucket/../x"])).code).toBe(2);
});

test("A value is the bytes that were put, from the command line or from standard input", async () => {
  expect((await run(["kv", "put", "greeting", "hello"])).code).toBe(0);
  expect(await run(["kv", "get", "greeting"])).toMatchObject({ code: 0, stdout: "hello" });
  const bytes = randomBytes(1000);
  expect((await run(["kv", "put", "user/1", "-"], bytes)).code).toBe(0);
  expect((await run(["kv", "get", "user/1"])).bytes.equals(bytes)).toBe(true);
  expect(JSON.parse((await run(["kv", "get", "user/1", "--json"])).stdout)).toEqual({
    key: "user/1",
    valueBase64: bytes.toString("base64"),
  });
  expect((await run(["kv", "put", "user/2", ""])).code).toBe(0);
  expect(await run(["kv", "get", "user/2"])).toMatchObject({ code: 0, stdout: "" });

  expect((await run(["kv", "scan", "user/"])).stdout).toBe("user/1\nuser/2\n");
  expect((await run(["kv", "scan", "--before", "user/", "--values"])).stdout).toBe("greeting\thello\n");
  expect((await run(["kv", "rm", "greeting", "user/1"])).code).toBe(0);
  expect((await run(["kv", "scan"])).stdout).toBe("user/2\n");
  expect(await run(["kv", "get", "greeting"])).toMatchObject({
    code: 3,
    stderr: 'graviton: no value under "greeting"\n',
  });
});

test("A value over the limit is refused, and nothing is stored", async () => {
  expect((await run(["kv", "put", "large", "-"], new Uint8Array(1024 * 1024 + 1))).code).toBe(1);
  expect((await run(["kv", "get", "large"])).code).toBe(3);
});
