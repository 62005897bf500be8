import { blobStoreContract } from "@graviton/conformance/blob-store";
import { blockStoreContract } from "@graviton/conformance/block-store";
import { freshKey } from "@graviton/conformance/content";
import type { Contract } from "@graviton/conformance/contract";
import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { manifestStoreContract } from "@graviton/conformance/manifest-store";
import { objectStoreContract } from "@graviton/conformance/object-store";
import { rangeTrackerContract } from "@graviton/conformance/range-tracker";
import { replicaIndexContract } from "@graviton/conformance/replica-index";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlockStore } from "@graviton/ports/block-store";
import { formatKey, type Key, parseKey } from "@graviton/ports/key";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { keyValueBatchOperationsMax } from "@graviton/ports/limits";
import { formatLocator, parseLocator } from "@graviton/ports/locator";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { hasReason } from "@graviton/ports/storage-error";
import { withMethods } from "./method-overrides.ts";
import type { RemoteStores } from "./remote-stores.ts";

/** A contract, and how to leave a service that is in use as it was found. */
export interface LiveCheck<Port> {
  readonly contract: Contract<Port>;
  open(stores: RemoteStores): Port;
  /** Calls what changes nothing, and is UNSUPPORTED where the service lacks the port or lets nobody write through it. */
  probe(store: Port): Promise<unknown>;
  /** The same store, which notes the names of what it makes. */
  noting(store: Port, names: Set<string>): Port;
  /** Removes what was made. */
  tidy(stores: RemoteStores, names: readonly string[]): Promise<void>;
}

/**
 * Content shorter than this is left where it is: clauses store the empty blob and `abc`, which anybody may have
 * stored since. All else that they store is random.
 */
const ownBytesMin = 10;

export const blobCheck: LiveCheck<BlobStore> = {
  contract: blobStoreContract,
  open: (stores) => stores.blobs(),
  probe: (store) => store.findMissing([]),
  noting: (store, names) =>
    withMethods(store, {
      async put(plan, bytes, options) {
        const receipt = await store.put(plan, bytes, options);
        if (receipt.created) noteKey(names, receipt.confirmed.key);
        return receipt;
      },
    }),
  async tidy(stores, names) {
    await using blobs = stores.blobs();
    for (const name of names) await blobs.delete(parseKey(name));
  },
};

export const blockCheck: LiveCheck<BlockStore> = {
  contract: blockStoreContract,
  open: (stores) => stores.blocks(),
  probe: (store) => store.delete([freshKey()]),
  noting: (store, names) =>
    withMethods(store, {
      async *putBlocks(plan, blocks, options) {
        for await (const event of store.putBlocks(plan, blocks, options)) {
          if (event.kind === "stored" && event.status === "FRESH") noteKey(names, event.key);
          yield event;
        }
      },
    }),
  async tidy(stores, names) {
    await using manifests = stores.manifests();
    await using blocks = stores.blocks();
    // A block that was recorded meanwhile belongs to somebody's blob.
    await blocks.delete(await manifests.findMissingBlocks(names.map(parseKey)));
  },
};

export const manifestCheck: LiveCheck<ManifestStore> = {
  contract: manifestStoreContract,
  open: (stores) => stores.manifests(),
  probe: (store) => store.delete(freshKey()),
  noting: (store, names) =>
    withMethods(store, {
      async put(header, pages, options) {
        const receipt = await store.put(header, pages, options);
        if (receipt.created) names.add(formatKey(header.key));
        return receipt;
      },
    }),
  async tidy(stores, names) {
    await using manifests = stores.manifests();
    for (const name of names) await manifests.delete(parseKey(name));
  },
};

export const objectCheck: LiveCheck<MutableObjectStore> = {
  contract: objectStoreContract,
  open: (stores) => stores.objects(),
  probe: (store) => store.head(nowhere),
  noting: (store, names) =>
    withMethods(store, {
      put(locator, bytes, options) {
        names.add(formatLocator(locator));
        return store.put(locator, bytes, options);
      },
      copy(from, to, options) {
        names.add(formatLocator(to));
        return store.copy(from, to, options);
      },
    }),
  async tidy(stores, names) {
    await using objects = stores.objects();
    for (const name of names) {
      try {
        await objects.delete(parseLocator(name));
      } catch (error) {
        // Clauses also try names that no object may have.
        if (!hasReason(error, "INVALID_ARGUMENT")) throw error;
      }
    }
  },
};

export const replicaCheck: LiveCheck<ReplicaIndex> = {
  contract: replicaIndexContract,
  open: (stores) => stores.replicas(),
  probe: (store) => store.replicas(freshKey()),
  noting: (store, names) =>
    withMethods(store, {
      async update(key, locators, options) {
        await store.update(key, locators, options);
        names.add(formatKey(key));
      },
    }),
  async tidy(stores, names) {
    await using replicas = stores.replicas();
    for (const name of names) await replicas.update(parseKey(name), []);
  },
};

/** The port has no verb that removes: a few spans of locators that nobody has stay. */
export const rangeCheck: LiveCheck<RangeTracker> = {
  contract: rangeTrackerContract,
  open: (stores) => stores.ranges(),
  probe: (store) => store.current(nowhere),
  noting: (store) => store,
  async tidy() {},
};

export const keyValueCheck: LiveCheck<KeyValueStore> = {
  contract: keyValueStoreContract,
  open: (stores) => stores.keyValues(),
  probe: (store) => store.get("nothing"),
  noting: (store, names) =>
    withMethods(store, {
      async put(key, value, options) {
        await store.put(key, value, options);
        names.add(key);
      },
      async batch(operations, options) {
        await store.batch(operations, options);
        for (const { key } of operations) names.add(key);
      },
      async compareAndSwap(key, expected, next, options) {
        await store.compareAndSwap(key, expected, next, options);
        names.add(key);
      },
    }),
  async tidy(stores, names) {
    await using keyValues = stores.keyValues();
    for (let at = 0; at < names.length; at += keyValueBatchOperationsMax) {
      const some = names.slice(at, at + keyValueBatchOperationsMax);
      await keyValues.batch(some.map((key) => ({ kind: "delete", key })));
    }
  },
};

/** A place of no technology that a server has. */
const nowhere = parseLocator("mem://nowhere/nothing");

function noteKey(names: Set<string>, key: Key): void {
  if (key.size >= ownBytesMin) names.add(formatKey(key));
}
