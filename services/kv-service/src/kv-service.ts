import { join } from "node:path";
import { observed } from "@graviton/decorators/observed";
import { LevelDatabase } from "@graviton/leveldb/database";
import { LevelKeyValueStore } from "@graviton/leveldb/key-value-store";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { PostgresDatabase } from "@graviton/postgres/database";
import { PostgresKeyValueStore } from "@graviton/postgres/key-value-store";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { postgresConfig } from "@graviton/service/backend-config";
import { makeDataFolder } from "@graviton/service/data-folder";
import { observePool } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import { type Opened, Opening } from "@graviton/service/opening";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };

interface Stores {
  readonly keyValues: KeyValueStore;
}

/** Keys and values, on LevelDB, Postgres or in memory. */
export const kvService: ServiceDefinition = {
  name: "kv-service",
  says: "keeps keys and values",
  version: packageFacts.version,
  async open(context) {
    const backend = backends[context.config.kvBackend](context);
    return {
      routes: [kvRoutes(backend.store("keyValues"), context.routesOptions)],
      dependencies: [backend],
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  },
};

const backends = {
  leveldb: (context: ServiceContext) => new Opening("LevelDB", () => openLevel(context)),
  postgres: (context: ServiceContext) => new Opening("Postgres", () => openPostgres(context)),
  memory: (context: ServiceContext) => new Opening("memory", () => openMemory(context)),
};

async function openLevel({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const folder = await makeDataFolder(join(config.dataFolder, "kv"));
  const store = opened.use(new LevelKeyValueStore(opened.use(await LevelDatabase.open(folder))));
  return {
    stores: { keyValues: observed(store, "LevelKeyValueStore", observeStores(metrics, "leveldb")) },
    check: async (signal) => void (await store.get("", { signal })),
    owned: opened.move(),
  };
}

async function openPostgres({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await PostgresDatabase.open(postgresConfig(config)));
  const store = opened.use(new PostgresKeyValueStore(database));
  observePool(metrics, () => database.connections);
  return {
    stores: { keyValues: observed(store, "PostgresKeyValueStore", observeStores(metrics, "postgres")) },
    check: (signal) => database.check(signal),
    owned: opened.move(),
  };
}

async function openMemory({ metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(new InMemoryKeyValueStore());
  return {
    stores: { keyValues: observed(store, "InMemoryKeyValueStore", observeStores(metrics, "memory")) },
    owned: opened.move(),
  };
}
