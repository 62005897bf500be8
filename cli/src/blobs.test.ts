import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { keyOf } from "@graviton/cas/hasher";
import { openDataFolder } from "@graviton/embedded/data-folder";
import { formatKey } from "@graviton/ports/key";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { serveGrpc } from "@graviton/rpc/server";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
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

const keyText = (bytes: Uint8Array) => formatKey(keyOf("blake3", bytes));

describe("a file", () => {
  test("is put, found, and comes back as it was", async () => {
    await using folder = await ScratchFolder.make();
    const bytes = randomBytes(3_000_000);
    await writeFile(folder.at("photo"), bytes);
    const key = keyText(bytes);

    const put = await run(["put", folder.at("photo"), "--content-type", "image/x-noise"]);
    expect(put).toMatchObject({ code: 0, stdout: `${key}\n` });
    expect(put.stderr).toMatch(/^1 file, 2\.9 MiB: (\d+) blocks, \1 fresh \(2\.9 MiB\), 0 already stored\n$/);

    expect((await run(["get", key])).bytes.equals(bytes)).toBe(true);
    expect((await run(["get", key, "-o", folder.at("copy")])).code).toBe(0);
    expect((await readFile(folder.at("copy"))).equals(bytes)).toBe(true);
    expect(await readdir(folder.path)).toEqual(["copy", "photo"]);

    const stat = JSON.parse((await run(["stat", key, "--json"])).stdout);
    expect(stat).toMatchObject({ key, size: 3_000_000, attributes: { name: "photo", contentType: "image/x-noise" } });
    expect(stat).toHaveProperty("locators");
    const manifest = await run(["manifest", key, "--json"]);
    const entries = manifest.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, index) => index));
    expect(entries.reduce((sum, { size }) => sum + size, 0)).toBe(3_000_000);
    expect(entries.length).toBe(stat.blocks);
    expect((await run(["ls"])).stdout.split("\n")).toContain(key);
    expect(await run(["verify", key])).toMatchObject({ code: 0, stdout: `${key}  ok\n`, stderr: "" });
  });

  test("comes back in part", async () => {
    const bytes = randomBytes(2_500_000);
    const key = (await run(["put", "-", "-q"], bytes)).stdout.trim();
    const part = await run(["get", key, "--offset", "1MiB", "--length", "1KiB"]);
    expect(part.bytes.equals(bytes.subarray(1_048_576, 1_049_600))).toBe(true);
    const rest = await run(["get", key, "--offset", "2499990"]);
    expect(rest.bytes.equals(bytes.subarray(2_499_990))).toBe(true);
    expect((await run(["get", key, "--offset", "2500001"])).code).toBe(2);
  });

  test("is told by --json in just these words", async () => {
    const { stdout, stderr } = await run(["put", "-", "--json"], "just these words");
    const key = keyText(Buffer.from("just these words"));
    const record = { path: "-", key, size: 16, blocks: 1, freshBlocks: 1, duplicateBlocks: 0, freshBytes: 16 };
    expect(stdout).toBe(`${JSON.stringify(record)}\n`);
    expect(stderr).toBe("");
  });

  test("in two versions shares blocks, and put says how many", async () => {
    const first = randomBytes(8_000_000);
    const second = Buffer.concat([first.subarray(0, 3_000_000), Buffer.from("inserted"), first.subarray(3_000_000)]);
    await run(["put", "-"], first);
    const { stdout } = await run(["put", "-", "--json"], second);
    const { blocks, freshBlocks, duplicateBlocks } = JSON.parse(stdout);
    expect(freshBlocks + duplicateBlocks).toBe(blocks);
    expect(freshBlocks).toBeLessThanOrEqual(3);
    expect(duplicateBlocks).toBeGreaterThan(0);
  });

  test("is cut as the options say", async () => {
    const lines = "one\r\ntwo\r\nthree";
    const cut = async (...options: string[]) => {
      const key = (await run(["put", "-", "-q", ...options], lines)).stdout.trim();
      const { stdout } = await run(["manifest", key]);
      await run(["rm", key]);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => Number(line.split("\t")[2]));
    };
    expect(await cut("--chunker", "delimiter", "--delimiter", "\\r\\n")).toEqual([5, 5, 5]);
    expect(await cut("--chunker", "delimiter", "--delimiter", "\\x0d\\n", "--exclude-delimiter")).toEqual([3, 5, 7]);
    expect(await cut("--chunker", "fixed", "--block-size", "4")).toEqual([4, 4, 4, 3]);
    expect(await cut("--hash", "sha256")).toEqual([15]);
  });

  test("that is not what was expected is refused with 4, and is not stored", async () => {
    const key = keyText(Buffer.from("expected"));
    const refused = await run(["put", "-", "--expect", key], "something else");
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toContain(key);
    expect((await run(["stat", keyText(Buffer.from("something else"))])).code).toBe(3);
    expect(await run(["put", "-", "--expect", key], "expected")).toMatchObject({ code: 0, stdout: `${key}\n` });
  });

  test("that was removed is not found: exit 3, one line, and no file", async () => {
    await using folder = await ScratchFolder.make();
    const key = (await run(["put", "-", "-q"], "short-lived")).stdout.trim();
    expect(await run(["rm", key])).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect((await run(["rm", key])).code).toBe(0);
    const got = await run(["get", key, "-o", folder.at("copy")]);
    expect(got).toMatchObject({ code: 3, stdout: "", stderr: `graviton: blob ${key} is not stored\n` });
    expect(await readdir(folder.path)).toEqual([]);
    const { error } = JSON.parse((await run(["stat", key, "--json"])).stderr);
    expect(error).toEqual({ reason: "NOT_FOUND", message: `blob ${key} is not stored`, resource: key });
  });
});

test("stat leaves out where the blocks are when the service does not tell", async () => {
  await using own = await ScratchFolder.make();
  await using stores = await openDataFolder(own.path);
  const bytes = Buffer.from("somewhere");
  await stores.blobs.put({}, Readable.from([bytes]));
  await using service = await serveGrpc({ routes: [blobRoutes(stores.blobs)], host: "127.0.0.1", port: 0 });
  const stat = await runGraviton(["stat", keyText(bytes), "--json"], { endpoint: `http://${service.address}` });
  expect(stat).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(stat.stdout)).toMatchObject({ key: keyText(bytes), size: 9 });
  expect(JSON.parse(stat.stdout)).not.toHaveProperty("locators");
});

describe("a folder", () => {
  test("is stored file by file in the order of their paths, and the second time nothing is fresh", async () => {
    await using folder = await ScratchFolder.make();
    await mkdir(folder.at("sub"));
    const files = { "a.bin": randomBytes(700_000), "b.txt": Buffer.from("b"), "sub/c.txt": Buffer.from("c") };
    for (const [name, bytes] of Object.entries(files)) await writeFile(folder.at(name), bytes);
    await symlink("b.txt", folder.at("link"));

    const first = await run(["put", folder.path]);
    const lines = Object.entries(files).map(([name, bytes]) => `${keyText(bytes)}  ${folder.at(name)}\n`);
    expect(first).toMatchObject({ code: 0, stdout: lines.join("") });
    expect(first.stderr).toContain(`skipped ${folder.at("link")}: a symbolic link\n`);

    const second = await run(["put", folder.path, "--json"]);
    const records = second.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records.map(({ path }) => path)).toEqual(Object.keys(files).map((name) => folder.at(name)));
    expect(records.map(({ freshBlocks, freshBytes }) => freshBlocks + freshBytes)).toEqual([0, 0, 0]);
  });

  test("with a file that is not there beside it: the others are stored, and the exit code says so", async () => {
    await using folder = await ScratchFolder.make();
    await writeFile(folder.at("there"), "there");
    const { code, stdout, stderr } = await run(["put", folder.at("gone"), folder.at("there")]);
    expect(code).toBe(3);
    expect(stdout).toBe(`${keyText(Buffer.from("there"))}  ${folder.at("there")}\n`);
    expect(stderr).toContain(`graviton: no such file or folder: ${JSON.stringify(folder.at("gone"))}\n`);
  });
});

describe("a command line that is not understood exits with 2 and one line", () => {
  test.each([
    [["get", "abc"], /malformed key "abc"/],
    [["putt", "x"], /unknown command 'putt' \(Did you mean put\?\)/],
    [["ls", "--limit", "0"], /option '--limit <number>' argument '0' is invalid/],
    [["put", "-", "--block-size", "1KiB"], /--block-size does not go with --chunker fastcdc/],
    [["put", "a", "b", "--name", "x"], /--name goes with one file/],
    [["put", "-", "--average", "5"], /averageBytes 5 must be/],
  ])("%j", async (args, says) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^graviton: [^\n]+\n$/);
  });
});
