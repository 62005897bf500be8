import { join } from "node:path";
import { LimitedObjectStore } from "@graviton/decorators/limited-object-store";
import { observed } from "@graviton/decorators/observed";
import { Places } from "@graviton/decorators/places";
import { FilesystemObjectStore } from "@graviton/filesystem/object-store";
import { InMemoryObjectStore } from "@graviton/memory/object-store";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { PostgresDatabase } from "@graviton/postgres/database";
import { PostgresObjectStore } from "@graviton/postgres/object-store";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { S3Bucket } from "@graviton/s3/bucket";
import { S3ObjectStore } from "@graviton/s3/object-store";
import { postgresConfig, s3Config } from "@graviton/service/backend-config";
import { makeDataFolder } from "@graviton/service/data-folder";
import { observePlaces, observePool } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import { type Opened, Opening } from "@graviton/service/opening";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };

interface Stores {
  readonly objects: MutableObjectStore;
}

/** Objects, on S3, Postgres, a file system or in memory. */
export const objectService: ServiceDefinition = {
  name: "object-service",
  says: "keeps objects: bytes under names of your own",
  version: packageFacts.version,
  async open(context) {
    const { config, metrics, routesOptions } = context;
    const backend = backends[config.objectBackend](context);
    const places = new Places({ callsMax: config.callsMax, waitMs: config.placeWaitSeconds * 1000 });
    observePlaces(metrics, places);
    return {
      routes: [objectRoutes(new LimitedObjectStore(backend.store("objects"), places), routesOptions)],
      dependencies: [backend],
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  },
};

const backends = {
  s3: (context: ServiceContext) => new Opening("S3", () => openS3(context)),
  postgres: (context: ServiceContext) => new Opening("Postgres", () => openPostgres(context)),
  filesystem: (context: ServiceContext) => new Opening("the file system", () => openFilesystem(context)),
  memory: (context: ServiceContext) => new Opening("memory", () => openMemory(context)),
};

async function openS3({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const bucket = opened.use(S3Bucket.open(s3Config(config)));
  const store = opened.use(new S3ObjectStore(bucket));
  return {
    stores: { objects: observed(store, "S3ObjectStore", observeStores(metrics, "s3")) },
    check: (signal) => bucket.check(signal),
    owned: opened.move(),
  };
}

async function openPostgres({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await PostgresDatabase.open(postgresConfig(config)));
  const store = opened.use(new PostgresObjectStore(database));
  observePool(metrics, () => database.connections);
  return {
    stores: { objects: observed(store, "PostgresObjectStore", observeStores(metrics, "postgres")) },
    check: (signal) => database.check(signal),
    owned: opened.move(),
  };
}

async function openFilesystem({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const folder = join(await makeDataFolder(config.dataFolder), "objects");
  const store = opened.use(await FilesystemObjectStore.open(folder));
  return {
    stores: { objects: observed(store, "FilesystemObjectStore", observeStores(metrics, "filesystem")) },
    check: async () => void (await makeDataFolder(folder)),
    owned: opened.move(),
  };
}

async function openMemory({ metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(new InMemoryObjectStore());
  return {
    stores: { objects: observed(store, "InMemoryObjectStore", observeStores(metrics, "memory")) },
    owned: opened.move(),
  };
}
