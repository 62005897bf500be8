import { keyOf } from "@graviton/cas/hasher";
import { LimitedBlobStore } from "@graviton/decorators/limited-blob-store";
import { LimitedBlockStore } from "@graviton/decorators/limited-block-store";
import { LimitedObjectStore } from "@graviton/decorators/limited-object-store";
import { observed } from "@graviton/decorators/observed";
import { Places } from "@graviton/decorators/places";
import { Retries } from "@graviton/decorators/retries";
import {
  retryingKeyValueStore,
  retryingManifestStore,
  retryingObjectStore,
  retryingRangeTracker,
  retryingReplicaIndex,
} from "@graviton/decorators/retrying";
import { SpreadBlockStore } from "@graviton/decorators/spread-block-store";
import type { BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { isServerFault } from "@graviton/ports/storage-error";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import type { Routes } from "@graviton/rpc/routes";
import { observePlaces } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import type { Dependency } from "@graviton/service/readiness";
import type { Listener, Service, ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };
import { BlockServices } from "./block-services.ts";
import { httpFaceServer } from "./http-server.ts";
import { LocatedBlobStore } from "./located-blob-store.ts";
import { ShownBlockStore } from "./shown-block-store.ts";
import { ShownManifestStore } from "./shown-manifest-store.ts";
import { Upstream } from "./upstream.ts";

/** The one address for clients: makes blobs of blocks and manifests, and passes everything else on to its service. */
export const gateway: ServiceDefinition = {
  name: "gateway",
  says: "the one address for clients, in front of all services",
  version: packageFacts.version,
  open: openGateway,
};

async function openGateway(context: ServiceContext): Promise<Service> {
  const { config, metrics } = context;
  await using opened = new AsyncDisposableStack();
  const upstreams = openUpstreams(context, opened);
  const retries = new Retries();
  const remote = <Store extends AsyncDisposable>(service: string, name: string, store: Store) =>
    observed(store, name, observeStores(metrics, service));

  const manifestChannel = upstreams.manifest.replicas.channel;
  const manifests = opened.use(
    retryingManifestStore(
      remote("manifest-service", "RemoteManifestStore", new RemoteManifestStore(manifestChannel)),
      retries,
    ),
  );
  const replicas = opened.use(
    retryingReplicaIndex(
      remote("manifest-service", "RemoteReplicaIndex", new RemoteReplicaIndex(manifestChannel)),
      retries,
    ),
  );
  const ranges = opened.use(
    retryingRangeTracker(
      remote("manifest-service", "RemoteRangeTracker", new RemoteRangeTracker(manifestChannel)),
      retries,
    ),
  );
  const keyValues = opened.use(
    retryingKeyValueStore(
      remote("kv-service", "RemoteKeyValueStore", new RemoteKeyValueStore(upstreams.kv.replicas.channel)),
      retries,
    ),
  );
  const objects = opened.use(
    retryingObjectStore(
      remote("object-service", "RemoteObjectStore", new RemoteObjectStore(upstreams.object.replicas.channel)),
      retries,
    ),
  );
  const blockServices = new BlockServices(upstreams.block.replicas, observeStores(metrics, "block-service"));
  const blocks = opened.use(
    new SpreadBlockStore({
      replicas: () => blockServices.current(),
      none: () => upstreams.block.replicas.none(),
      keyOf,
    }),
  );
  const located = opened.use(
    new LocatedBlobStore({
      blocks,
      manifests,
      replicas,
      blockReplicas: () => blockServices.current(),
      onPut: (receipt) => countBytes(context, receipt),
      onIndexError: (error) => context.log.warn({ error: String(error) }, "the replica index was not kept"),
    }),
  );
  const places = new Places({ callsMax: config.callsMax, waitMs: config.placeWaitSeconds * 1000 });
  observePlaces(metrics, places);
  metrics.gauge(
    "graviton_block_replicas",
    "Block services that are known, and those that did not answer lately.",
    () => {
      const all = upstreams.block.replicas.current();
      return { known: all.length, failing: all.filter(({ resting }) => resting).length };
    },
  );

  const blobs = new LimitedBlobStore(located, places);
  const { routesOptions } = context;
  const routes = [
    blobRoutes(blobs, routesOptions),
    objectRoutes(new LimitedObjectStore(objects, places), routesOptions),
    kvRoutes(keyValues, routesOptions),
    blockRoutes(new LimitedBlockStore(new ShownBlockStore(blocks), places), routesOptions),
    manifestRoutes(new ShownManifestStore(manifests), routesOptions),
    replicaRoutes(replicas, routesOptions),
    rangeRoutes(ranges, routesOptions),
  ];
  const owned = opened.move();
  return {
    routes,
    dependencies: [
      ...Object.values(upstreams).filter((upstream) => upstream !== upstreams.block),
      locatedBlocks(upstreams.block, blockServices),
    ],
    listen: (grpcPort) => listenForHttp(context, routes, blobs, grpcPort),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Ready once each block service that answers has said where its blocks are: then the first put can be noted. */
function locatedBlocks({ name, services, check }: Upstream, blockServices: BlockServices): Dependency {
  return {
    name,
    services,
    check: async (signal) => {
      await check(signal);
      await blockServices.located();
    },
  };
}

function openUpstreams(context: ServiceContext, opened: AsyncDisposableStack) {
  const { blockServices, manifestServices, kvServices, objectServices } = context.config;
  const upstream = (init: ConstructorParameters<typeof Upstream>[0]) => opened.use(new Upstream(init, context));
  return {
    block: upstream({
      name: "block-service",
      addresses: blockServices,
      variable: "GRAVITON_BLOCK_SERVICES",
      services: ["graviton.blob.v1.BlobService", "graviton.block.v1.BlockService"],
    }),
    manifest: upstream({
      name: "manifest-service",
      addresses: manifestServices,
      variable: "GRAVITON_MANIFEST_SERVICES",
      services: [
        "graviton.blob.v1.BlobService",
        "graviton.manifest.v1.ManifestService",
        "graviton.replica.v1.ReplicaIndexService",
        "graviton.range.v1.RangeTrackerService",
      ],
    }),
    kv: upstream({
      name: "kv-service",
      addresses: kvServices,
      variable: "GRAVITON_KV_SERVICES",
      services: ["graviton.kv.v1.KeyValueService"],
      essential: false,
    }),
    object: upstream({
      name: "object-service",
      addresses: objectServices,
      variable: "GRAVITON_OBJECT_SERVICES",
      services: ["graviton.object.v1.ObjectService"],
      essential: false,
    }),
  };
}

async function listenForHttp(
  { config, log, observer }: ServiceContext,
  routes: readonly Routes[],
  blobs: BlobStore,
  grpcPort: number,
): Promise<Listener> {
  const server = await httpFaceServer({
    routes,
    blobs,
    host: config.host,
    port: config.httpPort,
    observer,
    welcome: {
      version: packageFacts.version,
      storage: "the services behind this gateway",
      grpcEndpoint: `http://${config.host}:${grpcPort}`,
    },
    onError: (error, { method, path }) => {
      if (isServerFault(error)) log.error({ call: `${method} ${path}`, error: String(error) }, "failed");
    },
  });
  return { name: "http", port: server.port, drain: (graceMs) => server.drain(graceMs) };
}

function countBytes({ metrics }: ServiceContext, { confirmed, freshBytes }: BlobReceipt): void {
  metrics.freshBytes.inc(freshBytes);
  metrics.duplicateBytes.inc(confirmed.key.size - freshBytes);
}
