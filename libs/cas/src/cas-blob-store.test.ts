import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import type { Harness, Subject } from "@graviton/conformance/contract";
import { describeContract } from "@graviton/conformance/describe-contract";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { memoryCapabilities } from "@graviton/memory/capabilities";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlobWritePlan } from "@graviton/ports/plan";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { CasBlobStore } from "./cas-blob-store.ts";
import { CasBlockStore } from "./cas-block-store.ts";
import { keyOf } from "./hasher.ts";

const subject: Subject<BlobStore> = {
  name: "CasBlobStore over memory",
  capabilities: memoryCapabilities,
  isolated: true,
  damageable: false,
  start: async () => {
    const { blobs } = inMemory();
    return { open: async () => open(), damage: async () => {}, [Symbol.asyncDispose]: async () => {} } satisfies Harness<BlobStore>;
    function open(): BlobStore {
      return blobs();
    }
  },
};

describeContract(blobStoreContract, subject);
describeContract(blobStoreContract, overGrpc(subject, blobRoutes, (channel) => new RemoteBlobStore(channel)));

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
    const changed = Buffer.concat([content.subarray(0, 1_500_000), Buffer.from("inserted"), content.subarray(1_500_000)]);
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
    const { blobs, driver } = inMemory();
    const content = randomBytes(12_000_000);
    const broken = async function* () {
      yield content.subarray(0, 11_000_000);
      throw new Error("the line went dead");
    };
    await expect(blobs().put(small, broken())).rejects.toThrow("the line went dead");
    const kept = driver.size;
    expect(kept).toBeGreaterThan(0);
    const receipt = await blobs().put(small, frames(content));
    expect(receipt.created).toBe(true);
    expect(receipt.duplicateBlocks).toBe(kept);
  });

  test("with rewrite heals a block that was lost", async () => {
    const { blobs, driver } = inMemory();
    const content = Buffer.from("lost and found");
    const { confirmed } = await blobs().put({}, frames(content));
    await driver.remove(keyOf("blake3", content));
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
});

const small: BlobWritePlan = { chunker: { kind: "fastcdc", averageBytes: 65_536 } };

function inMemory() {
  const blocks = new Map();
  const driver = new MemoryBlockDriver(blocks);
  const manifests = new InMemoryManifestStore();
  const blobs = () =>
    new CasBlobStore({ blocks: new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(blocks)), manifests });
  return {
    blobs,
    driver: {
      remove: (key: Parameters<MemoryBlockDriver["remove"]>[0]) => driver.remove(key),
      get size() {
        return blocks.size;
      },
    },
  };
}

async function* frames(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += 100_000) yield content.subarray(start, start + 100_000);
}
