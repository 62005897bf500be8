import { observed } from "@graviton/decorators/observed";
import { Retries } from "@graviton/decorators/retries";
import {
  retryingKeyValueStore,
  retryingManifestStore,
  retryingObjectStore,
  retryingRangeTracker,
  retryingReplicaIndex,
} from "@graviton/decorators/retrying";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import type { Channel } from "@graviton/rpc/channel";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";
import type { Metrics } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import type { Upstream, Upstreams } from "./upstream.ts";

/**
 * Another replica takes over at once. To wait for a service that is in trouble as a whole is the client's part: its tries
 * and the gateway's multiply, and what is in trouble gets all of them.
 */
const attemptsMax = 2;

/**
 * The stores of the services behind the gateway but the blocks: each call goes to the next replica in turn, is observed,
 * and is tried once more when it fails for a reason that passes.
 *
 * @param opened owns them
 */
export function openRemoteStores({ manifest, kv, object }: Upstreams, metrics: Metrics, opened: AsyncDisposableStack) {
  const retries = new Retries({ attemptsMax });
  const open = <Port extends AsyncDisposable>(
    { name, replicas }: Upstream,
    Remote: new (channel: Channel) => Port,
    retrying: (store: Port, retries: Retries) => Port,
  ): Port => {
    const remote = observed(new Remote(replicas.channel), Remote.name, observeStores(metrics, name));
    return opened.use(retrying(remote, retries));
  };
  return {
    manifests: open<ManifestStore>(manifest, RemoteManifestStore, retryingManifestStore),
    replicas: open<ReplicaIndex>(manifest, RemoteReplicaIndex, retryingReplicaIndex),
    ranges: open<RangeTracker>(manifest, RemoteRangeTracker, retryingRangeTracker),
    keyValues: open<KeyValueStore>(kv, RemoteKeyValueStore, retryingKeyValueStore),
    objects: open<MutableObjectStore>(object, RemoteObjectStore, retryingObjectStore),
  };
}
