import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import { blockStoreContract } from "@graviton/conformance/block-store";
import { objectStoreContract } from "@graviton/conformance/object-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryManifestStore, ManifestStorage } from "@graviton/memory/manifest-store";
import { InMemoryObjectStore, type StoredObject } from "@graviton/memory/object-store";
import { damageBlock, memorySubject } from "@graviton/memory/testing/memory-subject";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlockStore } from "@graviton/ports/block-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { LimitedBlobStore } from "./limited-blob-store.ts";
import { LimitedBlockStore } from "./limited-block-store.ts";
import { LimitedObjectStore } from "./limited-object-store.ts";
import { Places } from "./places.ts";

/** Fewer places than the contracts have calls at once, and time enough to wait for one. */
function places(): Places {
  return new Places({ callsMax: 8, waitMs: 60_000, waitingMax: 10_000 });
}

describeContract(
  blockStoreContract,
  memorySubject<BlockStore, Map<string, Uint8Array>>({
    name: "LimitedBlockStore over memory",
    storage: () => new Map(),
    open: (storage) => new LimitedBlockStore(blocksOver(storage), places()),
    damage: damageBlock,
  }),
);

describeContract(
  blobStoreContract,
  memorySubject<BlobStore, { blocks: Map<string, Uint8Array>; manifests: ManifestStorage }>({
    name: "LimitedBlobStore over memory",
    storage: () => ({ blocks: new Map(), manifests: new ManifestStorage() }),
    open: ({ blocks, manifests }) => {
      const parts = { blocks: blocksOver(blocks), manifests: new InMemoryManifestStore(manifests) };
      return new LimitedBlobStore(new CasBlobStore(parts), places());
    },
    damage: ({ blocks }, name, how) => damageBlock(blocks, name, how),
  }),
);

describeContract(
  objectStoreContract,
  memorySubject<MutableObjectStore, Map<string, StoredObject>>({
    name: "LimitedObjectStore over memory",
    storage: () => new Map(),
    open: (storage) => new LimitedObjectStore(new InMemoryObjectStore(storage), places()),
  }),
);

function blocksOver(storage: Map<string, Uint8Array>): BlockStore {
  return new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(storage));
}
