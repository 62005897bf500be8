import { randomBytes } from "node:crypto";
import { glob, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Retries } from "@graviton/decorators/retries";
import { openDataFolder } from "@graviton/embedded/data-folder";
import type { BlockStore } from "@graviton/ports/block-store";
import { formatKey, parseKey } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";
import { expect, jest, test } from "@jest/globals";
import { checkBlob } from "./block-check.ts";
import { withMethods } from "./method-overrides.ts";
import { runGraviton } from "./testing/run-graviton.ts";
import { ScratchFolder } from "./testing/scratch-folder.ts";
import { ServerProcess } from "./testing/server-process.ts";

// Each run of the command is a process of its own, and the machine may be busy.
jest.setTimeout(60_000);

const thousands = { chunker: { kind: "fixed", blockBytes: 1000 } } as const;

test("verify names every block that is damaged or missing, exits with 4, and a rewrite heals them", async () => {
  await using data = await ScratchFolder.make();
  await using server = await ServerProcess.start(data.path);
  const { endpoint } = server;
  const bytes = randomBytes(6000);
  const fixed = ["--chunker", "fixed", "--block-size", "1000"];
  const key = (await runGraviton(["put", "-", "-q", ...fixed], { endpoint, input: bytes })).stdout.trim();
  const { stdout } = await runGraviton(["manifest", key], { endpoint });
  const blocks = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t")[3] ?? "");

  await writeFile(await blockFile(data.path, blocks[1] ?? ""), randomBytes(1000));
  await rm(await blockFile(data.path, blocks[2] ?? ""));
  await writeFile(await blockFile(data.path, blocks[5] ?? ""), "");
  const verified = await runGraviton(["verify", key, "--json"], { endpoint });
  expect(verified.code).toBe(4);
  const { ok, badBlocks } = JSON.parse(verified.stdout);
  expect(ok).toBe(false);
  expect(badBlocks).toMatchObject([
    { index: 1, offset: 1000, key: blocks[1] },
    { index: 2, offset: 2000, key: blocks[2], problem: "it is not stored" },
    { index: 5, offset: 5000, key: blocks[5] },
  ]);

  await using scratch = await ScratchFolder.make();
  const got = await runGraviton(["get", key, "-o", scratch.at("copy")], { endpoint });
  expect(got.code).toBe(4);
  expect(got.stderr).toContain(blocks[1]);
  expect(await Array.fromAsync(glob(scratch.at("*")))).toEqual([]);

  await runGraviton(["put", "-", "-q", "--rewrite", ...fixed], { endpoint, input: bytes });
  expect(await runGraviton(["verify", key], { endpoint })).toMatchObject({ code: 0, stdout: `${key}  ok\n` });
});

test("A service that goes away for a while is waited for, and every block is read once", async () => {
  await using data = await ScratchFolder.make();
  await using stores = await openDataFolder(data.path);
  const { confirmed } = await stores.blobs.put(thousands, only(randomBytes(5000)));
  const [page = []] = await Array.fromAsync(stores.manifests.get(confirmed.key));
  const third = page[2]?.block ?? confirmed.key;
  await rm(await blockFile(data.path, formatKey(third)));
  const away = new StorageError("UNAVAILABLE", "no answer");
  let gets = 0;
  const flaky: BlockStore = withMethods(stores.blocks, {
    async *getMany(keys, options) {
      for await (const stored of stores.blocks.getMany(keys, options)) {
        yield stored;
        throw away;
      }
    },
    async get(...call) {
      gets += 1;
      if (gets === 1) throw away;
      return stores.blocks.get(...call);
    },
  });
  const pauses: number[] = [];
  const retries = new Retries({ attemptsMax: 2, pause: async (ms) => void pauses.push(ms) });
  let readBytes = 0;
  const read = (bytes: number) => {
    readBytes += bytes;
  };
  const check = await checkBlob(confirmed.key, { ...stores, blocks: flaky, call: {}, read, retries });
  expect(check).toMatchObject({ blocks: 5, badBlocks: [{ entry: { index: 2 }, problem: "it is not stored" }] });
  expect(readBytes).toBe(4000);
  expect(pauses.length).toBe(5);
});

test("A service that stays away ends the check with UNAVAILABLE", async () => {
  await using data = await ScratchFolder.make();
  await using stores = await openDataFolder(data.path);
  const { confirmed } = await stores.blobs.put(thousands, only(randomBytes(2000)));
  const away: BlockStore = withMethods(stores.blocks, {
    // biome-ignore lint/correctness/useYield: it fails before it gives anything
    async *getMany() {
      throw new StorageError("UNAVAILABLE", "no answer");
    },
  });
  const retries = new Retries({ attemptsMax: 2, pause: async () => {} });
  const parts = { ...stores, blocks: away, call: {}, read: () => {}, retries };
  await expect(checkBlob(confirmed.key, parts)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
});

test("A service that sends wrong bytes as if they were right is found out", async () => {
  await using data = await ScratchFolder.make();
  await using stores = await openDataFolder(data.path);
  const { confirmed } = await stores.blobs.put(thousands, only(randomBytes(5000)));
  const [page] = await Array.fromAsync(stores.manifests.get(confirmed.key));
  const [first, , third] = page ?? [];
  const swapped: BlockStore = withMethods(stores.blocks, {
    async *getMany(keys, options) {
      for await (const { key, bytes } of stores.blocks.getMany(keys, options)) {
        const wrong = formatKey(key) === formatKey(third?.block ?? key);
        yield { key, bytes: wrong && first ? await stores.blocks.get(first.block) : bytes };
      }
    },
  });
  const check = await checkBlob(confirmed.key, {
    ...stores,
    blocks: swapped,
    call: {},
    read: () => {},
    retries: new Retries(),
  });
  expect(check.badBlocks.map(({ entry }) => entry.index)).toEqual([2]);
});

test("A manifest of good blocks that are together another blob is found out", async () => {
  await using data = await ScratchFolder.make();
  await using stores = await openDataFolder(data.path);
  const { confirmed } = await stores.blobs.put(thousands, only(randomBytes(2000)));
  const entries = (await Array.fromAsync(stores.manifests.get(confirmed.key))).flat();
  const lie = parseKey(`blake3:${"0".repeat(64)}:2000`);
  await stores.manifests.put({ key: lie, attributes: {} }, only(entries));
  const parts = { ...stores, call: {}, read: () => {}, retries: new Retries() };
  expect(await checkBlob(lie, parts)).toMatchObject({ blocks: 2, badBlocks: [], problem: /hashes to/ });
  expect((await checkBlob(confirmed.key, parts)).problem).toBeUndefined();
});

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item;
}

/** The file that holds a block. */
async function blockFile(folder: string, keyText: string): Promise<string> {
  const [found] = await Array.fromAsync(glob(join(folder, "blocks", "**", `*${parseKey(keyText).digest}*`)));
  if (found === undefined) throw new Error(`no file holds ${keyText}`);
  return found;
}
