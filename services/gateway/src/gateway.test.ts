import { randomBytes } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { blockService } from "@graviton/block-service/block-service";
import { kvService } from "@graviton/kv-service/kv-service";
import { manifestService } from "@graviton/manifest-service/manifest-service";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import type { CallOptions } from "@graviton/ports/call-options";
import { formatKey, type Key } from "@graviton/ports/key";
import { Health, HealthCheckResponse_ServingStatus } from "@graviton/proto/grpc/health/v1/health_pb";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import type { ServiceDefinition } from "@graviton/service/run-service";
import { temporaryFolder } from "@graviton/service/testing/temporary-folder";
import { startProcess, type TestProcess, until } from "@graviton/service/testing/test-process";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { gateway } from "./gateway.ts";

jest.setTimeout(60_000);

let blocks: TestProcess;
let manifests: TestProcess;

beforeAll(async () => {
  blocks = await startProcess(blockService, { GRAVITON_BLOCK_BACKEND: "memory" });
  manifests = await startProcess(manifestService, { GRAVITON_MANIFEST_BACKEND: "memory" });
});

afterAll(async () => {
  await blocks[Symbol.asyncDispose]();
  await manifests[Symbol.asyncDispose]();
});

describe("A gateway", () => {
  test.each([
    ["GRAVITON_BLOCK_SERVICES", "block-service"],
    ["GRAVITON_MANIFEST_SERVICES", "manifest-service"],
  ])("whose %s is empty, or resolves to nothing, names the setting", async (variable, service) => {
    for (const [list, why] of [
      ["", "its list is empty"],
      ["nowhere.invalid:7481", "nowhere.invalid:7481 resolves to no address"],
    ] as const) {
      await using process = await start({ [variable]: list });
      const says = `no replica of ${service} is known, ${why}: set ${variable}`;
      expect(await process.unready()).toContain(`${service}: ${says}`);
      await expect(put(process, "nowhere to go")).rejects.toMatchObject({ reason: "UNAVAILABLE", message: says });
    }
  });

  test("says that its manifest service is away, and works as soon as it is back", async () => {
    await using folder = await temporaryFolder();
    const environment = { GRAVITON_MANIFEST_BACKEND: "leveldb", GRAVITON_DATA: folder.path };
    const before = await startProcess(manifestService, environment);
    const port = String(before.service.grpcPort);
    await using process = await start({ GRAVITON_MANIFEST_SERVICES: before.address });
    await process.ready();
    const key = await put(process, "stored before");
    await before[Symbol.asyncDispose]();
    expect(await process.unready()).toContain("manifest-service: no replica of manifest-service serves");
    await expect(put(process, "refused")).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining("manifest-service"),
    });
    await using _after = await startProcess(manifestService, { ...environment, GRAVITON_GRPC_PORT: port });
    await process.ready();
    expect(await get(process, key)).toEqual(Buffer.from("stored before"));
    await put(process, "stored after");
  });

  test("is ready without its kv-service, and says so of the KeyValueService alone", async () => {
    const { address, service, [Symbol.asyncDispose]: stop } = await startProcess(kvService, inMemory);
    await stop();
    await using process = await start({ GRAVITON_KV_SERVICES: address });
    await using pairs = new RemoteKeyValueStore(process.channel);
    await until(
      () => serves(process, ""),
      (yes) => yes,
    );
    expect(await serves(process, "graviton.blob.v1.BlobService")).toBe(true);
    expect(await serves(process, "graviton.kv.v1.KeyValueService")).toBe(false);
    expect((await process.page("/readyz")).text).toContain(
      `no replica of kv-service serves: no answer from ${address}`,
    );
    await expect(pairs.put("name", Buffer.from("value"))).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining("kv-service"),
    });
    await using _kv = await startProcess(kvService, { ...inMemory, GRAVITON_GRPC_PORT: String(service.grpcPort) });
    await until(
      () => serves(process, "graviton.kv.v1.KeyValueService"),
      (yes) => yes,
    );
    await pairs.put("name", Buffer.from("value"));
  });

  test("that may do without a service names its setting to who asks for it", async () => {
    await using process = await start({});
    await using pairs = new RemoteKeyValueStore(process.channel);
    await using objects = new RemoteObjectStore(process.channel);
    await process.ready();
    await expect(pairs.get("name")).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: "no replica of kv-service is known, its list is empty: set GRAVITON_KV_SERVICES",
    });
    await expect(objects.head({ scheme: "s3", bucket: "tests", path: "name" })).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: "no replica of object-service is known, its list is empty: set GRAVITON_OBJECT_SERVICES",
    });
  });

  test("gives the right bytes when a block service ends in the middle of them", async () => {
    await using folder = await temporaryFolder();
    const environment = {
      GRAVITON_BLOCK_BACKEND: "filesystem",
      GRAVITON_DATA: folder.path,
      GRAVITON_GRACE_SECONDS: "0",
    };
    await using one = await startProcess(blockService, environment);
    await using other = await startProcess(blockService, environment);
    await using process = await start({ GRAVITON_BLOCK_SERVICES: `${one.address},${other.address}` });
    await process.ready();
    // More than all windows between the reader and the block services hold.
    const content = randomBytes(48 * 1024 * 1024);
    const key = await put(process, content);
    await using blobs = new RemoteBlobStore(process.channel);
    const frames: Uint8Array[] = [];
    for await (const frame of blobs.get(key)) {
      if (frames.length === 0) await one[Symbol.asyncDispose]();
      frames.push(frame);
    }
    expect(Buffer.concat(frames).equals(content)).toBe(true);
    expect((await process.page("/metrics")).text).toMatch(
      /^graviton_store_operations_total\{store="RemoteBlockStore".*method="getMany",outcome="UNAVAILABLE"\} [1-9]/m,
    );
    await put(process, "one is enough");
  });

  test("leaves less of a deadline to the services behind it than it was given", async () => {
    const given = 60_000;
    const takenByClient = 200;
    const left: (number | undefined)[] = [];
    await using watched = await startProcess(deadlineWatcher(left), {});
    await using process = await start({ GRAVITON_MANIFEST_SERVICES: watched.address });
    await using blobs = new RemoteBlobStore(process.channel);
    const slowly = async function* () {
      await new Promise((resolve) => setTimeout(resolve, takenByClient));
      yield Buffer.from("at last");
    };
    await blobs.put({}, slowly(), { deadline: Date.now() + given });
    expect(left.length).toBeGreaterThan(0);
    for (const milliseconds of left) {
      expect(milliseconds).toBeGreaterThan(0);
      // Timers may fire a little early.
      expect(milliseconds).toBeLessThanOrEqual(given - takenByClient + 10);
    }
  });

  test("counts HTTP requests under few names, and their bytes", async () => {
    await using process = await start({});
    await process.ready();
    const origin = `http://127.0.0.1:${process.service.httpPort}`;
    const body = "x".repeat(5000);
    const ask = async (path: string, init?: RequestInit) => (await fetch(`${origin}${path}`, init)).text();
    const { key } = JSON.parse(await ask("/v1/blobs", { method: "PUT", body }));
    await ask(`/v1/blobs/${key}`);
    await ask("/made/up");
    await ask("/made/up/too?key=value");
    await ask("/made/up", { method: "PATCH" });
    const ended = ({ calls }: HttpCounts) => Object.values(calls).reduce((sum, count) => sum + count, 0);
    const counts = await until(
      () => httpCounts(process),
      (now) => ended(now) === 5,
    );
    expect(counts.calls).toEqual({
      "PUT /v1/blobs OK": 1,
      "GET /v1/blobs/{key} OK": 1,
      "GET other NOT_FOUND": 2,
      "other other NOT_FOUND": 1,
    });
    expect(counts.received["PUT /v1/blobs"]).toBeGreaterThan(body.length);
    expect(counts.sent["GET /v1/blobs/{key}"]).toBeGreaterThan(body.length);
    expect(counts.sent["GET other"]).toBeLessThan(body.length);
  });
});

describe("A download over HTTP whose last block is lost", () => {
  test("is logged with its request id, reason and cause, in every process, and counted as DATA_LOSS", async () => {
    await using process = await start({});
    await process.ready();
    const key = await put(process, randomBytes(8 * 1024 * 1024));
    const block = await loseLastBlock(key);
    const url = `http://127.0.0.1:${process.service.httpPort}/v1/blobs/${formatKey(key)}`;
    const response = await fetch(url, { headers: { "x-request-id": "download-7" } });
    expect(response.status).toBe(200);
    await expect(response.bytes()).rejects.toThrow();
    const lines = await until(
      async () => process.lines.filter(({ requestId }) => requestId === "download-7"),
      ({ length }) => length === 2,
    );
    expect(lines).toEqual([
      expect.objectContaining({
        level: "error",
        msg: "failed",
        call: `GET /v1/blobs/${formatKey(key)}`,
        error: expect.stringContaining(formatKey(key)),
        reason: "CORRUPT",
        resource: block,
        cause: expect.stringContaining(block),
      }),
      expect.objectContaining({ level: "warn", msg: "call", call: "http/GET /v1/blobs/{key}", code: "DATA_LOSS" }),
    ]);
    expect(blocks.lines.filter(({ requestId }) => requestId === "download-7").length).toBeGreaterThan(0);
    expect((await httpCounts(process)).calls).toEqual({ "GET /v1/blobs/{key} DATA_LOSS": 1 });
  });
});

const inMemory = { GRAVITON_KV_BACKEND: "memory" };

/** A gateway before the services of this file, and no others, unless the environment says otherwise. */
function start(environment: Readonly<Record<string, string>>): Promise<TestProcess> {
  return startProcess(gateway, {
    GRAVITON_BLOCK_SERVICES: blocks.address,
    GRAVITON_MANIFEST_SERVICES: manifests.address,
    GRAVITON_KV_SERVICES: "",
    GRAVITON_OBJECT_SERVICES: "",
    ...environment,
  });
}

async function put(process: TestProcess, content: string | Buffer): Promise<Key> {
  await using blobs = new RemoteBlobStore(process.channel);
  return (await blobs.put({}, once(Buffer.from(content)))).confirmed.key;
}

async function get(process: TestProcess, key: Key): Promise<Buffer> {
  await using blobs = new RemoteBlobStore(process.channel);
  return Buffer.concat(await Array.fromAsync(blobs.get(key)));
}

/** Takes the last block of a blob out of the block service, and gives its key. */
async function loseLastBlock(key: Key): Promise<string> {
  await using known = new RemoteManifestStore(manifests.channel);
  await using stored = new RemoteBlockStore(blocks.channel);
  const entries = (await Array.fromAsync(known.blockRefs(key, { offset: 0 }))).flat();
  const { block } = entries.at(-1) as { readonly block: Key };
  await stored.delete([block]);
  return formatKey(block);
}

/** What a process says of one of its services to who asks by `grpc.health.v1`. */
async function serves(process: TestProcess, service: string): Promise<boolean> {
  const { status } = await createClient(Health, process.channel.transport).check({ service });
  return status === HealthCheckResponse_ServingStatus.SERVING;
}

interface HttpCounts {
  /** By method and status. */
  readonly calls: Readonly<Record<string, number>>;
  /** Bytes by method. */
  readonly received: Readonly<Record<string, number>>;
  readonly sent: Readonly<Record<string, number>>;
}

/** What a gateway has counted of its HTTP port. */
async function httpCounts(process: TestProcess): Promise<HttpCounts> {
  const { text } = await process.page("/metrics");
  const read = (name: string) => {
    const lines = text.matchAll(
      new RegExp(`^${name}\\{service="http",method="([^"]+)"(?:,code="(\\w+)")?\\} (\\d+)`, "gm"),
    );
    return Object.fromEntries(
      [...lines].map(([, method, code, count]) => [[method, code].join(" ").trim(), Number(count)]),
    );
  };
  return {
    calls: read("graviton_calls_total"),
    received: read("graviton_received_bytes_total"),
    sent: read("graviton_sent_bytes_total"),
  };
}

/** A manifest service that notes how long its callers still wait, in milliseconds. */
function deadlineWatcher(left: (number | undefined)[]): ServiceDefinition {
  class Watcher extends InMemoryManifestStore {
    override findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
      left.push(options?.deadline === undefined ? undefined : options.deadline - Date.now());
      return super.findMissingBlocks(keys, options);
    }
  }
  return {
    ...manifestService,
    async open() {
      return {
        routes: [manifestRoutes(new Watcher()), replicaRoutes(new InMemoryReplicaIndex())],
        dependencies: [],
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

async function* once<T>(item: T): AsyncGenerator<T, void, void> {
  yield item;
}
