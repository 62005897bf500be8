import { keyOf } from "@graviton/cas/hasher";
import { LimitedBlobStore } from "@graviton/decorators/limited-blob-store";
import { LimitedBlockStore } from "@graviton/decorators/limited-block-store";
import { LimitedObjectStore } from "@graviton/decorators/limited-object-store";
import { Places } from "@graviton/decorators/places";
import { SpreadBlockStore } from "@graviton/decorators/spread-block-store";
import type { BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import type { Routes } from "@graviton/rpc/routes";
import { outsideSilenceMsMax } from "@graviton/rpc/silent-streams";
import { observePlaces } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import type { Dependency } from "@graviton/service/readiness";
import type { Listener, Service, ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };
import { BlockServices } from "./block-services.ts";
import { httpFaceServer } from "./http-server.ts";
import { LocatedBlobStore } from "./located-blob-store.ts";
import { openRemoteStores } from "./remote-stores.ts";
import { ShownBlockStore } from "./shown-block-store.ts";
import { ShownManifestStore } from "./shown-manifest-store.ts";
import { openUpstreams, type Upstream } from "./upstream.ts";

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
  const { manifests, replicas, ranges, keyValues, objects } = openRemoteStores(upstreams, metrics, opened);
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
      onPut: (receipt) => countBytes(context, receipt),
      onIndexError: (error) => context.log.warn({ error: String(error) }, "the replica index was not kept"),
    }),
  );
  const places = new Places({ callsMax: config.callsMax, waitMs: config.placeWaitSeconds * 1000 });
  observePlaces(metrics, places);
  metrics.gauge(
    "graviton_block_replicas",
    "Block services that are known, and those that did not answer lately or do not serve.",
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
    silenceMsMax: outsideSilenceMsMax,
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

async function listenForHttp(
  { config, observer, routesOptions }: ServiceContext,
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
    onError: routesOptions.onError,
  });
  return { name: "http", port: server.port, drain: (graceMs) => server.drain(graceMs) };
}

function countBytes({ metrics }: ServiceContext, { confirmed, freshBytes }: BlobReceipt): void {
  metrics.freshBytes.inc(freshBytes);
  metrics.duplicateBytes.inc(confirmed.key.size - freshBytes);
}
