import assert from "node:assert/strict";
import { formatKey, type Key } from "@graviton/ports/key";
import { manifestPageEntries } from "@graviton/ports/limits";
import type { ManifestPage } from "@graviton/ports/manifest";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import { freshKey } from "./content.ts";
import { type Clause, clauseOf } from "./contract.ts";
import { liveBytes } from "./live-memory.ts";
import { collect, readFirst } from "./streams.ts";

const entryCount = 1_000_000;
const blockBytes = 4096;

/** What a read may add to the memory in use: a handful of pages. All entries at once would be over 150 MiB. */
const readBytesMax = 32 * 1024 * 1024;

/** A manifest of 4 GB in blocks of 4 KiB, a thousand of them over and over, so that recording them is cheap. */
export const millionEntries: Clause<ManifestStore> = clauseOf(
  "1,000,000 entries stream in order in bounded memory, and the last is found at once.",
  async (store) => {
    const blocks = Array.from({ length: 1000 }, () => freshKey(blockBytes));
    const key = freshKey(entryCount * blockBytes);
    await store.recordBlocks(blocks);
    await store.put({ key, attributes: {} }, pages(blocks));
    assert.equal((await store.stat(key)).confirmed.blockCount, entryCount);
    await expectStream(store, key, blocks);
    assert.equal((await readFirst(store.get(key)))?.[0]?.index, 0);
    const refs = await collect(store.blockRefs(key, { offset: key.size - 1 }));
    assert.deepEqual(refs.flat(), [entryAt(blocks, entryCount - 1)]);
    await store.delete(key);
  },
  "isolation",
);

async function expectStream(store: ManifestStore, key: Key, blocks: readonly Key[]): Promise<void> {
  const before = liveBytes();
  let index = 0;
  for await (const page of store.get(key)) {
    for (const { index: actual, offset, block } of page) {
      const right = actual === index && offset === index * blockBytes && block.digest === blocks[index % 1000]?.digest;
      if (!right)
        assert.fail(`entry ${actual} at ${offset} is ${formatKey(block)}, not what was put as entry ${index}`);
      index += 1;
    }
    if (index === manifestPageEntries * 100) expectBounded(before);
  }
  assert.equal(index, entryCount, "entries read");
}

/** Asserts after a tenth of the entries: a store that had read all of them ahead would hold them now. */
function expectBounded(before: number): void {
  const held = liveBytes() - before;
  assert.ok(held < readBytesMax, `a read of entries holds ${held} bytes`);
}

async function* pages(blocks: readonly Key[]): AsyncGenerator<ManifestPage, void, void> {
  for (let first = 0; first < entryCount; first += manifestPageEntries) {
    const length = Math.min(manifestPageEntries, entryCount - first);
    yield Array.from({ length }, (_, at) => entryAt(blocks, first + at));
  }
}

function entryAt(blocks: readonly Key[], index: number) {
  return { index, offset: index * blockBytes, block: blocks[index % blocks.length] as Key };
}
