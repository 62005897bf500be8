import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresServer } from "@graviton/postgres/testing/postgres-server";
import {
  findS3Engine,
  type S3Engine,
  type S3EngineName,
  s3EngineNames,
  startS3Engine,
} from "@graviton/s3/testing/s3-engine";
import { type ProcessName, portOffset } from "@graviton/service/settings";
import { ServiceProcess } from "./service-process.ts";

/** How large a cluster is, and where its gateways listen. */
export interface ClusterInit {
  readonly blockServices?: number;
  readonly manifestServices?: number;
  readonly gateways?: number;
  /** Whether the ports are those that the documentation tells, for the first process of each kind; any free ones otherwise. */
  readonly usualPorts?: boolean;
  /** Which S3 to start, or one that runs already and stays; the first that is installed when absent. */
  readonly s3?: S3EngineName | S3Engine;
  /** Settings for every process. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Takes each line that a process prints, with its name. */
  readonly log?: (service: string, line: string) => void;
}

/** Every service in a process of its own, on a Postgres and an S3 that were started for it. Disposing it ends them all. */
export interface Cluster extends AsyncDisposable {
  readonly blockServices: ServiceProcess[];
  readonly manifestServices: ServiceProcess[];
  readonly kvService: ServiceProcess;
  readonly objectService: ServiceProcess;
  readonly gateways: ServiceProcess[];
  /** `versitygw`; `S3` where it was given; or `the file system` where no S3 is installed. */
  readonly blockBackend: string;
  /** The S3 that was started or given; undefined where none is installed. */
  readonly s3: S3Engine | undefined;
  /** Starts one process more with the settings that the cluster's own have. */
  start(service: ProcessName, settings?: Readonly<Record<string, string>>): Promise<ServiceProcess>;
}

/** The settings that each kind of process gets. */
type SettingsOf = (service: ProcessName) => Readonly<Record<string, string>>;

/** Starts a cluster, and resolves once every process is ready. What it stores goes with it. */
export async function startCluster(init: ClusterInit = {}): Promise<Cluster> {
  const { blockServices = 2, manifestServices = 2, gateways = 2, usualPorts = false } = init;
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "graviton-cluster-"));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  const [database, storage] = await Promise.all([postgresServer(), s3Settings(init.s3)]);
  started.use(database);
  started.use(storage);
  const common: Partial<Record<ProcessName, Readonly<Record<string, string>>>> = {
    "block-service": { ...storage.settings, ...backend("BLOCK", storage.name), GRAVITON_DATA: folder },
    "object-service": { ...storage.settings, ...backend("OBJECT", storage.name), GRAVITON_DATA: folder },
    "manifest-service": { GRAVITON_POSTGRES_URL: addressOf(database.config) },
    "kv-service": { GRAVITON_DATA: folder },
    gateway: {},
  };
  const anyPorts = { GRAVITON_GRPC_PORT: "0", GRAVITON_ADMIN_PORT: "0" };
  const settingsOf: SettingsOf = (service) => ({
    ...anyPorts,
    ...(service === "gateway" ? { GRAVITON_HTTP_PORT: "0" } : {}),
    ...common[service],
    ...init.settings,
  });

  const start = (service: ProcessName, settings: Readonly<Record<string, string>> = {}) => {
    const log = (line: string) => init.log?.(service, line);
    return ServiceProcess.start({ service, settings: { ...settingsOf(service), ...settings }, log });
  };
  const several = (service: ProcessName, count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, index) =>
        started.use(await start(service, usualPorts ? portsOf(service, index) : {})),
      ),
    );

  const [blocks, manifests, [kvService], [objectService]] = await Promise.all([
    several("block-service", blockServices),
    several("manifest-service", manifestServices),
    several("kv-service", 1),
    several("object-service", 1),
  ]);
  if (kvService === undefined || objectService === undefined) throw new Error("not all services were started");
  common.gateway = {
    GRAVITON_BLOCK_SERVICES: listOf(blocks),
    GRAVITON_MANIFEST_SERVICES: listOf(manifests),
    GRAVITON_KV_SERVICES: kvService.address,
    GRAVITON_OBJECT_SERVICES: objectService.address,
  };
  const all = [...blocks, ...manifests, kvService, objectService];
  await Promise.all(all.map((process) => process.ready()));
  const fronts = await several("gateway", gateways);
  await Promise.all(fronts.map((process) => process.ready()));

  // Gateways first, so that nobody calls what has gone.
  const owned = started.move();
  return {
    blockServices: blocks,
    manifestServices: manifests,
    kvService,
    objectService,
    gateways: fronts,
    blockBackend: storage.name,
    s3: storage.engine,
    start: async (service, settings) => owned.use(await start(service, settings)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Where no S3 is installed, both block services share a folder: to look at, not to run. */
const withoutS3 = "the file system";

interface Storage extends AsyncDisposable {
  readonly name: string;
  readonly engine?: S3Engine;
  readonly settings: Readonly<Record<string, string>>;
}

async function s3Settings(wanted?: S3EngineName | S3Engine): Promise<Storage> {
  const chosen = wanted ?? s3EngineNames.find((name) => findS3Engine(name) !== undefined);
  if (chosen === undefined) return { name: withoutS3, settings: {}, async [Symbol.asyncDispose]() {} };
  if (typeof chosen !== "string") return { ...storageOn("S3", chosen), async [Symbol.asyncDispose]() {} };
  const running = await startS3Engine({ engine: chosen });
  return { ...storageOn(chosen, running), [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

function storageOn(name: string, engine: S3Engine): Omit<Storage, keyof AsyncDisposable> {
  return {
    name,
    engine,
    settings: {
      GRAVITON_S3_ENDPOINT: engine.endpoint,
      GRAVITON_S3_BUCKET: engine.bucket,
      GRAVITON_S3_ACCESS_KEY_ID: engine.accessKeyId,
      GRAVITON_S3_SECRET_ACCESS_KEY: engine.secretAccessKey,
    },
  };
}

function backend(kind: "BLOCK" | "OBJECT", storage: string): Readonly<Record<string, string>> {
  return { [`GRAVITON_${kind}_BACKEND`]: storage === withoutS3 ? "filesystem" : "s3" };
}

function addressOf(config: Awaited<ReturnType<typeof postgresServer>>["config"]): string {
  if (config.connectionString !== undefined) return config.connectionString;
  return `postgres://${config.user}@${encodeURIComponent(config.host ?? "")}/${config.database}`;
}

function listOf(processes: readonly ServiceProcess[]): string {
  return processes.map(({ address }) => address).join(",");
}

/** The ports of the documentation, and a hundred more for each further process of the kind. */
function portsOf(service: ProcessName, index: number): Readonly<Record<string, string>> {
  const offset = portOffset[service] + 100 * index;
  return {
    GRAVITON_GRPC_PORT: String(7480 + offset),
    GRAVITON_ADMIN_PORT: String(9480 + offset),
    ...(service === "gateway" ? { GRAVITON_HTTP_PORT: String(8480 + offset) } : {}),
  };
}
