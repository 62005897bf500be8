import { join } from "node:path";
import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { FilesystemBlockDriver } from "@graviton/filesystem/block-driver";
import { FilesystemObjectStore } from "@graviton/filesystem/object-store";
import { LevelDatabase } from "@graviton/leveldb/database";
import { LevelKeyValueStore } from "@graviton/leveldb/key-value-store";
import { LevelManifestStore } from "@graviton/leveldb/manifest-store";
import { LevelRangeTracker } from "@graviton/leveldb/range-tracker";
import { LevelReplicaIndex } from "@graviton/leveldb/replica-index";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlockStore } from "@graviton/ports/block-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { makeDataFolder } from "@graviton/service/data-folder";

/** Every port, on one folder. */
export interface Stores {
  readonly blobs: BlobStore;
  readonly blocks: BlockStore;
  readonly manifests: ManifestStore;
  readonly objects: MutableObjectStore;
  readonly replicas: ReplicaIndex;
  readonly ranges: RangeTracker;
  readonly keyValues: KeyValueStore;
}

/**
 * Opens the data folder, and makes it when it is not there: blocks in `blocks/`, objects in `objects/`, everything else
 * in one LevelDB in `index/`. Whoever holds the LevelDB's lock is the folder's one process, so it is opened first.
 *
 * @throws StorageError UNAVAILABLE when the folder cannot be written to, or another process has it open
 */
export async function openDataFolder(folder: string): Promise<Stores & AsyncDisposable> {
  const root = await makeDataFolder(folder);
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await LevelDatabase.open(join(root, "index")));
  const blocks = opened.use(
    new CasBlockStore("FilesystemBlockStore", await FilesystemBlockDriver.open(join(root, "blocks"))),
  );
  const manifests = opened.use(new LevelManifestStore(database));
  const stores: Stores = {
    blocks,
    manifests,
    blobs: opened.use(new CasBlobStore({ blocks, manifests })),
    objects: opened.use(await FilesystemObjectStore.open(join(root, "objects"))),
    replicas: opened.use(new LevelReplicaIndex(database)),
    ranges: opened.use(new LevelRangeTracker(database)),
    keyValues: opened.use(new LevelKeyValueStore(database)),
  };
  const stack = opened.move();
  return { ...stores, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
