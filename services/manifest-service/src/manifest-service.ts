import { join } from "node:path";
import { observed } from "@graviton/decorators/observed";
import { LevelDatabase } from "@graviton/leveldb/database";
import { LevelManifestStore } from "@graviton/leveldb/manifest-store";
import { LevelRangeTracker } from "@graviton/leveldb/range-tracker";
import { LevelReplicaIndex } from "@graviton/leveldb/replica-index";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import { InMemoryRangeTracker } from "@graviton/memory/range-tracker";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { PostgresDatabase } from "@graviton/postgres/database";
import { PostgresManifestStore } from "@graviton/postgres/manifest-store";
import { PostgresRangeTracker } from "@graviton/postgres/range-tracker";
import { PostgresReplicaIndex } from "@graviton/postgres/replica-index";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import { postgresConfig } from "@graviton/service/backend-config";
import { makeDataFolder } from "@graviton/service/data-folder";
import { observePool } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import { type Opened, Opening } from "@graviton/service/opening";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };

interface Stores {
  readonly manifests: ManifestStore;
  readonly replicas: ReplicaIndex;
  readonly ranges: RangeTracker;
}

/** Manifests, the replica index and the range tracker, on Postgres, LevelDB or in memory. */
export const manifestService: ServiceDefinition = {
  name: "manifest-service",
  says: "keeps manifests, and knows which blocks, replicas and ranges are stored",
  version: packageFacts.version,
  async open(context) {
    const backend = backends[context.config.manifestBackend](context);
    const { routesOptions } = context;
    return {
      routes: [
        manifestRoutes(backend.store("manifests"), routesOptions),
        replicaRoutes(backend.store("replicas"), routesOptions),
        rangeRoutes(backend.store("ranges"), routesOptions),
      ],
      dependencies: [backend],
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  },
};

const backends = {
  postgres: (context: ServiceContext) => new Opening("Postgres", () => openPostgres(context)),
  leveldb: (context: ServiceContext) => new Opening("LevelDB", () => openLevel(context)),
  memory: (context: ServiceContext) => new Opening("memory", () => openMemory(context)),
};

async function openPostgres({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await PostgresDatabase.open(postgresConfig(config)));
  const observer = observeStores(metrics, "postgres");
  observePool(metrics, () => database.connections);
  const stores = {
    manifests: observed(opened.use(new PostgresManifestStore(database)), "PostgresManifestStore", observer),
    replicas: observed(opened.use(new PostgresReplicaIndex(database)), "PostgresReplicaIndex", observer),
    ranges: observed(opened.use(new PostgresRangeTracker(database)), "PostgresRangeTracker", observer),
  };
  return { stores, check: (signal) => database.check(signal), owned: opened.move() };
}

async function openLevel({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const folder = await makeDataFolder(join(config.dataFolder, "manifests"));
  const database = opened.use(await LevelDatabase.open(folder));
  const observer = observeStores(metrics, "leveldb");
  const manifests = opened.use(new LevelManifestStore(database));
  const stores = {
    manifests: observed(manifests, "LevelManifestStore", observer),
    replicas: observed(opened.use(new LevelReplicaIndex(database)), "LevelReplicaIndex", observer),
    ranges: observed(opened.use(new LevelRangeTracker(database)), "LevelRangeTracker", observer),
  };
  const check = async (signal: AbortSignal) => void (await manifests.findMissingBlocks([], { signal }));
  return { stores, check, owned: opened.move() };
}

async function openMemory({ metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const observer = observeStores(metrics, "memory");
  const stores = {
    manifests: observed(opened.use(new InMemoryManifestStore()), "InMemoryManifestStore", observer),
    replicas: observed(opened.use(new InMemoryReplicaIndex()), "InMemoryReplicaIndex", observer),
    ranges: observed(opened.use(new InMemoryRangeTracker()), "InMemoryRangeTracker", observer),
  };
  return { stores, owned: opened.move() };
}
