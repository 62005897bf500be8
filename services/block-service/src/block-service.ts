import { join } from "node:path";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { LimitedBlockStore } from "@graviton/decorators/limited-block-store";
import { observed } from "@graviton/decorators/observed";
import { Places } from "@graviton/decorators/places";
import { FilesystemBlockDriver } from "@graviton/filesystem/block-driver";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import type { BlockStore } from "@graviton/ports/block-store";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { S3BlockDriver } from "@graviton/s3/block-driver";
import { S3Bucket } from "@graviton/s3/bucket";
import { s3Config } from "@graviton/service/backend-config";
import { makeDataFolder } from "@graviton/service/data-folder";
import { observePlaces } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import { type Opened, Opening } from "@graviton/service/opening";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };
import { locationOf } from "./location.ts";

interface Stores {
  readonly blocks: BlockStore;
}

/** Blocks, on S3, a file system or in memory. */
export const blockService: ServiceDefinition = {
  name: "block-service",
  says: "keeps blocks: bytes under the name of what they are",
  version: packageFacts.version,
  async open(context) {
    const { config, metrics, routesOptions } = context;
    const backend = backends[config.blockBackend](context);
    const places = new Places({ callsMax: config.callsMax, waitMs: config.placeWaitSeconds * 1000 });
    observePlaces(metrics, places);
    const blocks = new LimitedBlockStore(backend.store("blocks"), places);
    return {
      routes: [blockRoutes(blocks, { ...routesOptions, location: locationOf(config) })],
      dependencies: [backend],
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  },
};

const backends = {
  s3: (context: ServiceContext) => new Opening("S3", () => openS3(context)),
  filesystem: (context: ServiceContext) => new Opening("the file system", () => openFilesystem(context)),
  memory: (context: ServiceContext) => new Opening("memory", () => openMemory(context)),
};

async function openS3({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const bucket = opened.use(S3Bucket.open(s3Config(config)));
  const store = opened.use(new CasBlockStore("S3BlockStore", new S3BlockDriver(bucket)));
  return {
    stores: { blocks: observed(store, "S3BlockStore", observeStores(metrics, "s3")) },
    check: (signal) => bucket.check(signal),
    owned: opened.move(),
  };
}

async function openFilesystem({ config, metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const folder = join(await makeDataFolder(config.dataFolder), "blocks");
  const driver = await FilesystemBlockDriver.open(folder);
  const store = opened.use(new CasBlockStore("FilesystemBlockStore", driver));
  return {
    stores: { blocks: observed(store, "FilesystemBlockStore", observeStores(metrics, "filesystem")) },
    check: async () => void (await makeDataFolder(folder)),
    owned: opened.move(),
  };
}

async function openMemory({ metrics }: ServiceContext): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(new CasBlockStore("MemoryBlockStore", new MemoryBlockDriver()));
  return {
    stores: { blocks: observed(store, "MemoryBlockStore", observeStores(metrics, "memory")) },
    owned: opened.move(),
  };
}
