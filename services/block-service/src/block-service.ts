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
import { storageId } from "@graviton/s3/storage-id";
import { s3Config } from "@graviton/service/backend-config";
import { makeDataFolder } from "@graviton/service/data-folder";
import { observePlaces } from "@graviton/service/metrics";
import { observeStores } from "@graviton/service/observe-stores";
import { type Opened, Opening } from "@graviton/service/opening";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import packageFacts from "../package.json" with { type: "json" };
import { BlockLocation } from "./block-location.ts";
import { folderLocation, memoryLocation, s3Location } from "./location.ts";

interface Stores {
  readonly blocks: BlockStore;
}

/** Blocks, on S3, a file system or in memory. */
export const blockService: ServiceDefinition = {
  name: "block-service",
  says: "keeps blocks: bytes under the name of what they are",
  version: packageFacts.version,
  async open(context) {
    const { config, log, metrics, routesOptions } = context;
    const location = new BlockLocation(log);
    const backend = backends[config.blockBackend](context, location);
    const places = new Places({ callsMax: config.callsMax, waitMs: config.placeWaitSeconds * 1000 });
    observePlaces(metrics, places);
    const blocks = new LimitedBlockStore(backend.store("blocks"), places);
    const options = {
      ...routesOptions,
      get location() {
        return location.found;
      },
    };
    return {
      routes: [blockRoutes(blocks, options)],
      dependencies: [backend],
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  },
};

const backends = {
  s3: (...parts: Parts) => new Opening("S3", () => openS3(...parts)),
  filesystem: (...parts: Parts) => new Opening("the file system", () => openFilesystem(...parts)),
  memory: (...parts: Parts) => new Opening("memory", () => openMemory(...parts)),
};

type Parts = [context: ServiceContext, location: BlockLocation];

async function openS3(...[{ config, metrics }, location]: Parts): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const bucket = opened.use(S3Bucket.open(s3Config(config)));
  const store = opened.use(new CasBlockStore("S3BlockStore", new S3BlockDriver(bucket)));
  return {
    stores: { blocks: observed(store, "S3BlockStore", observeStores(metrics, "s3")) },
    check: (signal) => {
      const ask = async () => s3Location(config, await storageId(bucket, signal));
      return location.find(ask, () => bucket.check(signal));
    },
    owned: opened.move(),
  };
}

async function openFilesystem(...[{ config, metrics }, location]: Parts): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const folder = join(await makeDataFolder(config.dataFolder), "blocks");
  const driver = await FilesystemBlockDriver.open(folder);
  const store = opened.use(new CasBlockStore("FilesystemBlockStore", driver));
  return {
    stores: { blocks: observed(store, "FilesystemBlockStore", observeStores(metrics, "filesystem")) },
    check: async () => {
      await makeDataFolder(folder);
      await location.find(async () => folderLocation(folder, await driver.id()));
    },
    owned: opened.move(),
  };
}

async function openMemory(...[{ metrics }, location]: Parts): Promise<Opened<Stores>> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(new CasBlockStore("MemoryBlockStore", new MemoryBlockDriver()));
  const place = memoryLocation();
  return {
    stores: { blocks: observed(store, "MemoryBlockStore", observeStores(metrics, "memory")) },
    check: () => location.find(async () => place),
    owned: opened.move(),
  };
}
