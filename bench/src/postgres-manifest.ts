import { randomBytes } from "node:crypto";
import { digestBytes, type Key } from "@graviton/ports/key";
import { manifestPageEntries } from "@graviton/ports/limits";
import type { ManifestPage } from "@graviton/ports/manifest";
import { PostgresDatabase } from "@graviton/postgres/database";
import { PostgresManifestStore } from "@graviton/postgres/manifest-store";
import { tuneGarbageCollection } from "@graviton/service/garbage-collection";
import { keyOfBlock } from "./numbered-blocks.ts";

tuneGarbageCollection();
const [config = "", count = ""] = process.argv.slice(2);
const entries = Number(count);
const blockBytes = keyOfBlock(0).size;

// Packed, so that what is measured starts with little in memory and makes its keys cheaply.
const digests = Buffer.alloc(entries * digestBytes);
for (let at = 0; at < entries; at += 1) digests.write(keyOfBlock(at).digest, at * digestBytes, "hex");

await using database = await PostgresDatabase.open(JSON.parse(config));
await using store = new PostgresManifestStore(database);
await put(Math.min(entries, 1000));
const before = residentBytesMax();
const start = performance.now();
const key = await put(entries);
const commitMs = performance.now() - start;
const again = performance.now();
const range = { offset: Math.floor(entries / 2) * blockBytes, length: blockBytes };
for await (const _ of store.blockRefs(key, range)) break;
const firstPageMs = performance.now() - again;
console.log(JSON.stringify({ commitMs, firstPageMs, residentBytes: residentBytesMax() - before }));

async function put(length: number): Promise<Key> {
  const key: Key = { algorithm: "blake3", digest: randomBytes(digestBytes).toString("hex"), size: length * blockBytes };
  await store.put({ key, attributes: {} }, pages(length));
  return key;
}

async function* pages(length: number): AsyncGenerator<ManifestPage, void, void> {
  for (let first = 0; first < length; first += manifestPageEntries) {
    yield Array.from({ length: Math.min(manifestPageEntries, length - first) }, (_, at) => entryAt(first + at));
  }
}

function entryAt(index: number) {
  const digest = digests.toString("hex", index * digestBytes, (index + 1) * digestBytes);
  return { index, offset: index * blockBytes, block: { algorithm: "blake3" as const, digest, size: blockBytes } };
}

function residentBytesMax(): number {
  return process.resourceUsage().maxRSS * 1024;
}
