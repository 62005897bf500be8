import { randomFillSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { FilesystemBlockDriver } from "@graviton/filesystem/block-driver";
import { LevelDatabase } from "@graviton/leveldb/database";
import { LevelKeyValueStore } from "@graviton/leveldb/key-value-store";
import type { BlockInput, BlockStore } from "@graviton/ports/block-store";
import type { Key } from "@graviton/ports/key";
import { printTable, type Row } from "./table.ts";

const blockBytes = 512 * 1024;
const blocks = 512;
const pairs = 50_000;

/** Blocks on the file system beside plain files, and durable pairs in LevelDB one at a time and many at once. */
export async function benchAdapters(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "graviton-bench-"));
  try {
    await benchBlocks(folder);
    await benchPairs(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function benchBlocks(folder: string): Promise<void> {
  const content = Array.from({ length: blocks }, () => randomFillSync(Buffer.allocUnsafe(blockBytes)));
  const bytes = blocks * blockBytes;
  const plain = await seconds(async () => {
    for (const [index, block] of content.entries())
      await writeFile(join(folder, `plain-${index}`), block, { flush: true });
  });
  await using store = new CasBlockStore(
    "FilesystemBlockStore",
    await FilesystemBlockDriver.open(join(folder, "blocks")),
  );
  let keys: Key[] = [];
  const put = await seconds(async () => {
    keys = await putAll(store, content);
  });
  const again = await seconds(() => putAll(store, content));
  const get = await seconds(async () => {
    for await (const _ of store.getMany(keys));
  });
  const row = (name: string, duration: number): Row => ({
    name,
    bytesPerSecond: bytes / duration,
    ratio: plain / duration,
  });
  printTable(`${blocks} blocks of 512 KiB, as a share of plain files with fsync`, [
    row("plain files, fsync each", plain),
    row("FilesystemBlockStore put, fresh", put),
    row("FilesystemBlockStore put, duplicate", again),
    row("FilesystemBlockStore get, verified", get),
  ]);
}

async function putAll(store: BlockStore, content: readonly Uint8Array[]): Promise<Key[]> {
  const input = async function* (): AsyncGenerator<BlockInput> {
    for (const bytes of content) yield { bytes, owned: true };
  };
  const events = await Array.fromAsync(store.putBlocks({}, input()));
  return events.flatMap((event) => (event.kind === "stored" ? [event.key] : []));
}

async function benchPairs(folder: string): Promise<void> {
  await using database = await LevelDatabase.open(join(folder, "level"));
  await using store = new LevelKeyValueStore(database);
  const value = Buffer.alloc(100, 1);
  const few = 1000;
  const serial = await seconds(async () => {
    for (let index = 0; index < few; index += 1) await store.put(`serial-${index}`, value);
  });
  const coalesced = await seconds(() =>
    Promise.all(Array.from({ length: pairs }, (_, index) => store.put(`together-${index}`, value))),
  );
  const scan = await seconds(async () => {
    for await (const _ of store.scan({ prefix: "together-" }));
  });
  const rate = (count: number, duration: number) => `${Math.round(count / duration).toLocaleString("en")} a second`;
  console.log("\nLevelKeyValueStore, pairs of 100 bytes, each durable before it is acknowledged");
  console.log(`  put, one after the other  ${rate(few, serial)}`);
  console.log(
    `  put, all at once          ${rate(pairs, coalesced)}  ×${(pairs / coalesced / (few / serial)).toFixed(1)}`,
  );
  console.log(`  scan                      ${rate(pairs, scan)}`);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
