import { randomBytes } from "node:crypto";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import { held } from "@graviton/conformance/streams";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryManifestStore, ManifestStorage } from "@graviton/memory/manifest-store";
import { damageBlock, memorySubject } from "@graviton/memory/testing/memory-subject";
import type { BlobStore } from "@graviton/ports/blob-store";
import { formatKey } from "@graviton/ports/key";
import type { BlobWritePlan } from "@graviton/ports/plan";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { describe, expect, test } from "@jest/globals";
import { CasBlobStore } from "./cas-blob-store.ts";
import { CasBlockStore } from "./cas-block-store.ts";
import { keyOf } from "./hasher.ts";

const subject = memorySubject<BlobStore, Storage>({
  name: "CasBlobStore over memory",
  storage: () => ({ blocks: new Map(), manifests: new ManifestStorage() }),
  open: blobsOver,
  damage: ({ blocks }, name, how) => damageBlock(blocks, name, how),
});

describeContract(blobStoreContract, subject);
describeContract(
  blobStoreContract,
  overGrpc(subject, blobRoutes, (channel) => new RemoteBlobStore(channel)),
);

describe("CasBlobStore", () => {
  test("stores no block of the second copy, and says so", async () => {
    const store = inMemory().blobs();
    const content = randomBytes(3_000_000);
    const first = await store.put(small, frames(content));
    const second = await store.put(small, frames(content));
    expect(first.freshBlocks).toBe(first.confirmed.blockCount);
    expect(second).toMatchObject({
      created: false,
      freshBlocks: 0,
      freshBytes: 0,
      duplicateBlocks: first.confirmed.blockCount,
    });
  });

  test("stores only the blocks around a change", async () => {
    const store = inMemory().blobs();
    const content = randomBytes(3_000_000);
    await store.put(small, frames(content));
    const changed = Buffer.concat([
      content.subarray(0, 1_500_000),
      Buffer.from("inserted"),
      content.subarray(1_500_000),
    ]);
    const receipt = await store.put(small, frames(changed));
    expect(receipt.freshBlocks).toBeGreaterThan(0);
    expect(receipt.freshBlocks).toBeLessThan(5);
    expect(receipt.duplicateBlocks).toBe(receipt.confirmed.blockCount - receipt.freshBlocks);
  });

  test("counts a block that repeats within one blob as fresh once", async () => {
    const store = inMemory().blobs();
    const plan: BlobWritePlan = { chunker: { kind: "fixed", blockBytes: 4 } };
    const receipt = await store.put(plan, frames(Buffer.from("samesamesame")));
    expect(receipt).toMatchObject({ freshBlocks: 1, duplicateBlocks: 2, freshBytes: 4 });
  });

  test("a retry after a broken upload sends only what the first try did not", async () => {
    const { blobs, blocks } = inMemory();
    const content = randomBytes(12_000_000);
    const broken = async function* () {
      yield content.subarray(0, 11_000_000);
      throw new Error("the line went dead");
    };
    await expect(blobs().put(small, broken())).rejects.toThrow("the line went dead");
    const kept = blocks.size;
    expect(kept).toBeGreaterThan(0);
    const receipt = await blobs().put(small, frames(content));
    expect(receipt.created).toBe(true);
    expect(receipt.duplicateBlocks).toBe(kept);
  });

  test("with rewrite heals a block that was lost", async () => {
    const { blobs, blocks } = inMemory();
    const content = Buffer.from("lost and found");
    const { confirmed } = await blobs().put({}, frames(content));
    blocks.delete(formatKey(keyOf("blake3", content)));
    await expect(Array.fromAsync(blobs().get(confirmed.key))).rejects.toMatchObject({ reason: "CORRUPT" });
    await blobs().put({ duplicates: "rewrite" }, frames(content));
    expect(Buffer.concat(await Array.fromAsync(blobs().get(confirmed.key)))).toEqual(content);
  });

  test("stops reading as soon as the bytes are more than the expected key has", async () => {
    const store = inMemory().blobs();
    let asked = 0;
    const endless = async function* () {
      for (;;) {
        asked += 1;
        yield Buffer.alloc(1000);
      }
    };
    await expect(store.put({ expected: keyOf("blake3", Buffer.alloc(1)) }, endless())).rejects.toMatchObject({
      reason: "HASH_MISMATCH",
    });
    expect(asked).toBe(1);
  });

  test("ends a put at its deadline also while it waits for bytes", async () => {
    const store = inMemory().blobs();
    using source = held([Buffer.from("the first bytes")], []);
    const putting = store.put({}, source.stream, { deadline: Date.now() + 50 });
    await expect(putting).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });
});

const small: BlobWritePlan = { chunker: { kind: "fastcdc", averageBytes: 65_536 } };

interface Storage {
  readonly blocks: Map<string, Uint8Array>;
  readonly manifests: ManifestStorage;
}

function blobsOver({ blocks, manifests }: Storage): BlobStore {
  return new CasBlobStore({
    blocks: new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(blocks)),
    manifests: new InMemoryManifestStore(manifests),
  });
}

function inMemory() {
  const storage: Storage = { blocks: new Map(), manifests: new ManifestStorage() };
  return { blobs: () => blobsOver(storage), blocks: storage.blocks };
}

async function* frames(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += 100_000) yield content.subarray(start, start + 100_000);
}
