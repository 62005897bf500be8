import { Retries } from "@graviton/decorators/retries";
import {
  retryingBlobStore,
  retryingKeyValueStore,
  retryingManifestStore,
  retryingObjectStore,
  retryingRangeTracker,
  retryingReplicaIndex,
} from "@graviton/decorators/retrying";
import type { BlobStore } from "@graviton/ports/blob-store";
import type { BlockStore } from "@graviton/ports/block-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { connect } from "@graviton/rpc/channel";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";

/**
 * Every port of the service at one address; calls that fail for a reason that passes are tried again, but for those of
 * blocks: who reads them goes on where it was. Each function opens a handle that the caller disposes.
 */
export interface RemoteStores extends AsyncDisposable {
  /** `host:port`, as errors name it. */
  readonly address: string;
  blobs(): BlobStore;
  blocks(): BlockStore;
  manifests(): ManifestStore;
  objects(): MutableObjectStore;
  replicas(): ReplicaIndex;
  ranges(): RangeTracker;
  keyValues(): KeyValueStore;
}

/**
 * Connects on the first call. Disposing it closes the connection.
 *
 * @throws StorageError INVALID_ARGUMENT for an endpoint that is not `http://host:port`
 */
export function openRemoteStores(endpoint: string): RemoteStores {
  const channel = connect(endpoint);
  const retries = new Retries();
  return {
    address: channel.address,
    blobs: () => retryingBlobStore(new RemoteBlobStore(channel), retries),
    blocks: () => new RemoteBlockStore(channel),
    manifests: () => retryingManifestStore(new RemoteManifestStore(channel), retries),
    objects: () => retryingObjectStore(new RemoteObjectStore(channel), retries),
    replicas: () => retryingReplicaIndex(new RemoteReplicaIndex(channel), retries),
    ranges: () => retryingRangeTracker(new RemoteRangeTracker(channel), retries),
    keyValues: () => retryingKeyValueStore(new RemoteKeyValueStore(channel), retries),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}
