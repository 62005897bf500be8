import { describe, expect, test } from "@jest/globals";
import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import { InMemoryManifestStore, ManifestStorage } from "@graviton/memory/manifest-store";
import { damageBlock, type MemoryParts, memorySubject } from "@graviton/memory/memory-subject";
import { InMemoryObjectStore, type StoredObject } from "@graviton/memory/object-store";
import { InMemoryRangeTracker } from "@graviton/memory/range-tracker";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlockInput, BlockStore, PutBlocksEvent } from "@graviton/ports/block-store";
import { type ByteSpan, mergeSpan } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { formatKey, type Key } from "@graviton/ports/key";
import type { KeyValueOperation, KeyValuePair, KeyValueRange, KeyValueStore } from "@graviton/ports/key-value-store";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import type { ManifestHeader, ManifestInfo, ManifestPage } from "@graviton/ports/manifest";
import type { ManifestListOptions, ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore, ObjectInfo, ObjectPutOptions } from "@graviton/ports/object-store";
import type { BlockWritePlan } from "@graviton/ports/plan";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { blobStoreContract } from "./blob-store.ts";
import { blockStoreContract } from "./block-store.ts";
import { checkContract } from "./check-contract.ts";
import type { Contract, Subject } from "./contract.ts";
import { keyValueStoreContract } from "./key-value-store.ts";
import { manifestStoreContract } from "./manifest-store.ts";
import { objectStoreContract } from "./object-store.ts";
import { rangeTrackerContract } from "./range-tracker.ts";
import { replicaIndexContract } from "./replica-index.ts";
import { collect, eachOf } from "./streams.ts";

/** A whole contract is checked in each of these tests. */
const contractMsMax = 120_000;

describe("a store that keeps its promises breaks no clause:", () => {
  honest(blockStoreContract, blockParts());
  honest(blobStoreContract, blobParts());
  honest(manifestStoreContract, manifestParts());
  honest(keyValueStoreContract, keyValueParts());
  honest(objectStoreContract, objectParts());
  honest(replicaIndexContract, replicaParts());
  honest(rangeTrackerContract, rangeParts());
});

describe("a block store that", () => {
});
