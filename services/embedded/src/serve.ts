import { resolve } from "node:path";
import { LimitedBlobStore } from "@graviton/decorators/limited-blob-store";
import { LimitedBlockStore } from "@graviton/decorators/limited-block-store";
import { LimitedObjectStore } from "@graviton/decorators/limited-object-store";
import { Places } from "@graviton/decorators/places";
import { typeable } from "@graviton/gateway/http/welcome";
import { httpFaceServer } from "@graviton/gateway/http-server";
import { isServerFault } from "@graviton/ports/storage-error";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import type { Routes, RoutesOptions } from "@graviton/rpc/routes";
import { serveGrpc } from "@graviton/rpc/server";
import { outsideSilenceMsMax } from "@graviton/rpc/silent-streams";
import { Health } from "@graviton/service/health";
import { registerReflection } from "@graviton/service/reflection";
import { openDataFolder, type Stores } from "./data-folder.ts";
import { version } from "./version.ts";

/** What the embedded process is told. */
export interface EmbeddedConfig {
  /** Made when it is not there. */
  readonly dataFolder: string;
  /** The address to listen on, `127.0.0.1`. */
  readonly host: string;
  /** 0 for any free port. */
  readonly grpcPort: number;
  /** 0 for any free port. */
  readonly httpPort: number;
  /** How long calls in flight may take to end once it drains, in milliseconds. */
  readonly graceMs: number;
  /** Calls that move bytes at once; each holds some 40 MiB at most, so this bounds the process's memory. */
  readonly callsMax?: number;
  /** How long such a call waits for its place before it gets EXHAUSTED, in milliseconds. */
  readonly placeWaitMs?: number;
}

const callsMaxDefault = 32;

const placeWaitMsDefault = 10_000;

/** The embedded process, running. Disposing it drains it. */
export interface EmbeddedServer extends AsyncDisposable {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Takes no new calls, lets those in flight end within the grace, and closes the data folder. */
  drain(): Promise<void>;
}

/**
 * Serves every port over one data folder, in one process.
 *
 * @param print takes the lines that a person reads at the start
 * @throws StorageError UNAVAILABLE when the folder or a port cannot be had; nothing is left running then
 */
export async function serveEmbedded(config: EmbeddedConfig, print: (line: string) => void): Promise<EmbeddedServer> {
  await using opened = new AsyncDisposableStack();
  const places = new Places({
    callsMax: config.callsMax ?? callsMaxDefault,
    waitMs: config.placeWaitMs ?? placeWaitMsDefault,
  });
  const stores = limited(opened.use(await openDataFolder(config.dataFolder)), places);
  const onError = (error: unknown, { method }: { readonly method: string }) => {
    if (isServerFault(error)) print(`${new Date().toISOString()} ${method} failed: ${describe(error)}`);
  };
  const routes = routesOf(stores, { onError });
  const health = new Health(routes.map(({ service }) => service.typeName));

  const grpc = opened.use(
    await serveGrpc({
      routes,
      host: config.host,
      port: config.grpcPort,
      silenceMsMax: outsideSilenceMsMax,
      register: (server) => {
        health.register(server);
        registerReflection(
          server,
          routes.map(({ service }) => service.file),
        );
      },
    }),
  );
  const http = opened.use(
    await httpFaceServer({
      routes,
      blobs: stores.blobs,
      host: config.host,
      port: config.httpPort,
      welcome: {
        version,
        storage: `the folder ${resolve(config.dataFolder)}`,
        grpcEndpoint: `http://${config.host}:${grpc.port}`,
      },
      onError,
    }),
  );
  health.set(true);
  for (const line of startLines(config, grpc.port, http.port)) print(line);

  const stack = opened.move();
  const drain = async () => {
    health.set(false);
    await Promise.all([grpc.drain(config.graceMs), http.drain(config.graceMs)]);
    await stack.disposeAsync();
  };
  return { grpcPort: grpc.port, httpPort: http.port, drain, [Symbol.asyncDispose]: drain };
}

/** The data folder disposes the stores; what stands before them needs no end of its own. */
function limited(stores: Stores, places: Places): Stores {
  return {
    ...stores,
    blobs: new LimitedBlobStore(stores.blobs, places),
    blocks: new LimitedBlockStore(stores.blocks, places),
    objects: new LimitedObjectStore(stores.objects, places),
  };
}

function routesOf(stores: Stores, options: RoutesOptions): Routes[] {
  return [
    blobRoutes(stores.blobs, options),
    blockRoutes(stores.blocks, options),
    manifestRoutes(stores.manifests, options),
    objectRoutes(stores.objects, options),
    replicaRoutes(stores.replicas, options),
    rangeRoutes(stores.ranges, options),
    kvRoutes(stores.keyValues, options),
  ];
}

function startLines({ dataFolder, host }: EmbeddedConfig, grpcPort: number, httpPort: number): string[] {
  const [grpc, http] = [grpcPort, httpPort].map((port) => typeable(`http://${host}:${port}`, "localhost"));
  const endpoint = grpcPort === 7480 ? "" : ` --endpoint ${grpc}`;
  return [
    `Graviton ${version} works. The data is in the folder ${resolve(dataFolder)}.`,
    `  gRPC  ${grpc}`,
    `  HTTP  ${http}`,
    "Next, in another terminal:",
    `  npx graviton put README.md${endpoint}`,
    `  curl ${http}/`,
    "Ctrl-C stops it; nothing acknowledged is lost.",
  ];
}

/** The server's own log may show what the client must not see. */
function describe(error: unknown): string {
  return Error.isError(error) ? (error.stack ?? error.message) : String(error);
}
