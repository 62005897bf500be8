import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { keyOf } from "@graviton/cas/hasher";
import { runGraviton } from "@graviton/cli/testing/run-graviton";
import { GravitonClient } from "@graviton/client/client";
import { formatKey, type Key } from "@graviton/ports/key";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { type Channel, connect } from "@graviton/rpc/channel";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { givenS3 } from "@graviton/s3/testing/describe-s3";
import { configOf, findS3Engine } from "@graviton/s3/testing/s3-engine";
import { removeAll, withClient } from "@graviton/s3/testing/s3-subject";
import { Collector } from "@graviton/service/testing/collector";
import { settledPeaks } from "@graviton/service/testing/peak-memory";
import { servicesTold } from "@graviton/service/testing/reflection-client";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { examples } from "../../examples/run-examples.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { ServiceProcess } from "./service-process.ts";

jest.setTimeout(300_000);

const mebibyte = 1024 * 1024;

/** Of a gateway, unless it is set. */
const callsMax = 32;

const given = givenS3(process.env);
const lacksS3 = given === undefined && findS3Engine("versitygw") === undefined;
const why = lacksS3 ? "no versitygw is installed, and GRAVITON_TEST_S3_ENDPOINT is not set" : undefined;
const title = why === undefined ? "A cluster of ten processes" : `A cluster cannot be tested: ${why}`;
const describeCluster = why === undefined || process.env.CI !== undefined ? describe : describe.skip;

describeCluster(title, () => {
  let cluster: Cluster;
  let collector: Collector;
  let folder: string;
  /** That of nobody else in an S3 that others may use. */
  const prefix = `test-${randomBytes(8).toString("hex")}/`;
  const lines: { readonly process: string; readonly [field: string]: unknown }[] = [];

  beforeAll(async () => {
    if (why !== undefined) throw new Error(why);
    folder = await mkdtemp(join(tmpdir(), "graviton-cluster-test-"));
    const log = (_: string, line: string) => void lines.push(JSON.parse(line));
    collector = await Collector.listen();
    const settings = { GRAVITON_OTLP_ENDPOINT: collector.endpoint, GRAVITON_S3_PREFIX: prefix };
    cluster = await startCluster({ s3: given ?? "versitygw", log, settings });
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    if (given !== undefined) {
      const config = { ...configOf(given), prefix };
      await withClient(config, (client) => removeAll(client, config, given));
    }
    await collector?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** `http://127.0.0.1:…` of one of the gateways. */
  const endpoint = (index: number) => `http://${cluster.gateways[index]?.address}`;
  const clientOf = (...gateways: readonly number[]) => new GravitonClient({ endpoint: gateways.map(endpoint) });

  test("what one gateway stores, the other one has, whole and in part", async () => {
    const file = join(folder, "content");
    const content = randomBytes(20_000_000);
    await writeFile(file, content);
    const key = (await runGraviton(["put", file], { endpoint: endpoint(0) })).stdout.trim();
    const whole = await runGraviton(["get", key, "-o", "-"], { endpoint: endpoint(1) });
    expect(content.equals(whole.bytes)).toBe(true);
    const part = await runGraviton(["get", key, "--offset", "9999990", "--length", "20"], { endpoint: endpoint(1) });
    expect(content.subarray(9_999_990, 10_000_010).equals(part.bytes)).toBe(true);
    const again = await runGraviton(["put", file, "--json"], { endpoint: endpoint(1) });
    expect(JSON.parse(again.stdout)).toMatchObject({ key, freshBlocks: 0 });
  });

  test("stat tells where the blocks of a blob are", async () => {
    await using client = clientOf(0);
    const { key } = (await client.put(Buffer.from("somewhere in S3"))).confirmed;
    const stat = await runGraviton(["stat", formatKey(key), "--json"], { endpoint: endpoint(1) });
    const locator = `s3://${cluster.s3?.bucket}/${prefix}blocks/[0-9a-f]{32}`;
    expect(JSON.parse(stat.stdout)).toMatchObject({ locators: [expect.stringMatching(new RegExp(`^${locator}$`))] });
    const text = await runGraviton(["stat", formatKey(key)], { endpoint: endpoint(1) });
    expect(text.stdout).toMatch(new RegExp(`stored in: +${locator}\\n`));
  });

  test("both block services get their share of the blocks", async () => {
    await using client = clientOf(0);
    await client.put(randomBytes(4_000_000), { chunker: { kind: "fixed", blockBytes: 65_536 } });
    for (const service of cluster.blockServices) {
      expect(await service.metrics()).toMatch(/graviton_store_operations_total\{store="S3BlockStore"[^}]*"ok"\} [1-9]/);
    }
  });

  test("a call has one request id and one trace in every process that it passes through, down to the drivers", async () => {
    const traceId = randomBytes(16).toString("hex");
    const headers = { "x-request-id": "one-call", traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await using channel = connect(endpoint(0), { headers: () => headers });
    await using blobs = new RemoteBlobStore(channel);
    await blobs.put({}, Readable.from([randomBytes(1000)]));
    const named = () => new Set(lines.flatMap((line) => (line.requestId === "one-call" ? [line.process] : [])));
    await until(() => named().has("gateway"));
    expect(named()).toEqual(new Set(["gateway", "manifest-service", "block-service"]));
    const told = await collector.toldOf(Buffer.from(traceId, "hex"), [
      "S3BlockStore.putBlocks",
      "PostgresManifestStore.put",
    ]);
    for (const process of ["gateway", "manifest-service", "block-service"]) expect(told).toContain(process);
  });

  test("every process lists by reflection the services that it serves", async () => {
    const { gateways, blockServices, manifestServices, kvService, objectService } = cluster;
    const block = "graviton.block.v1.BlockService";
    const manifest = [
      "graviton.manifest.v1.ManifestService",
      "graviton.range.v1.RangeTrackerService",
      "graviton.replica.v1.ReplicaIndexService",
    ];
    const kv = "graviton.kv.v1.KeyValueService";
    const object = "graviton.object.v1.ObjectService";
    const serves = [
      [blockServices, block],
      [manifestServices, ...manifest],
      [[kvService], kv],
      [[objectService], object],
      [gateways, "graviton.blob.v1.BlobService", block, kv, ...manifest, object],
    ] as const;
    for (const [processes, ...services] of serves)
      for (const { address } of processes)
        expect(await servicesTold(address)).toEqual([...services, "grpc.health.v1.Health"].sort());
  });

  test.each(["BlobStore", "MutableObjectStore", "ReplicaIndex", "RangeTracker", "KeyValueStore"])(
    "%s keeps its contract through the gateway",
    async (port) => {
      const args = ["conform", "--only", port];
      const { stdout, stderr } = await runGraviton(args, { endpoint: endpoint(0) });
      expect(`${stdout}${stderr}`).toMatch(/^[1-9]\d* ok, 0 FAILED/m);
    },
  );

  test("the gateway shows manifests and blocks, and lets nobody change them", async () => {
    await using client = clientOf(0);
    const { key } = (await client.put(randomBytes(100_000))).confirmed;
    expect((await runGraviton(["verify", formatKey(key)], { endpoint: endpoint(1) })).code).toBe(0);
    expect((await runGraviton(["manifest", formatKey(key)], { endpoint: endpoint(1) })).code).toBe(0);
    const ports = ["BlockStore", "ManifestStore"];
    const refused = await runGraviton(["conform", "--only", ...ports], { endpoint: endpoint(1) });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing was checked") });
    for (const port of ports)
      expect(refused.stdout).toMatch(new RegExp(`^left out {2}${port}: the gateway shows`, "m"));
  });

  for (const example of examples) {
    const lacking = example.lacks();
    const says = `the ${example.language} example works${lacking === undefined ? "" : ` (skipped: ${lacking})`}`;
    const testExample = lacking === undefined || process.env.CI !== undefined ? test : test.skip;
    testExample(says, async () => {
      const file = join(folder, `from-${example.language}`);
      const content = Buffer.from(`stored from ${example.language}, ${randomBytes(16).toString("hex")}`);
      await writeFile(file, content);
      const middle = Math.floor(content.length / 2);
      expect((await example.run(endpoint(1), file)).split("\n")).toEqual([
        `Stored ${formatKey(keyOf("blake3", content))}, new`,
        `Read 16 bytes from ${middle} on: ${content.subarray(middle, middle + 16).toString("hex")}`,
        "Listed with it",
        "",
      ]);
    });
  }

  // Only Linux tells how much memory another process had.
  (platform() === "linux" ? test : test.skip)(
    "no process takes the memory that Kubernetes lets it have, while much passes through and more readers stand still than have a place",
    async () => {
      await using gateway = await cluster.start("gateway", { GRAVITON_PLACE_WAIT_SECONDS: "0" });
      await gateway.ready();
      await using client = new GravitonClient({ endpoint: `http://${gateway.address}` });
      const { key } = (await client.put(Readable.from(random(128)))).confirmed;
      let size = 0;
      for await (const bytes of client.get(key)) size += bytes.length;
      expect(size).toBe(key.size);
      await using readers = await standingReaders(gateway, key, callsMax + 4);
      expect(readers.answers.filter((answer) => answer !== "bytes")).toEqual(Array(4).fill("EXHAUSTED"));
      const processes = [...cluster.blockServices, ...cluster.manifestServices, gateway];
      for (const [index, peak] of (await settledPeaks(processes)).entries()) {
        expect(peak).toBeLessThan(memoryMax(processes[index]?.service ?? ""));
      }
    },
  );

  test("one of each pair may be killed under load, and nobody notices", async () => {
    await underLoad(async (progress) => {
      for (const victim of oneOfEachPair()) await killAndRestart(victim, progress);
    });
  });

  test("one of each pair that gets SIGTERM under load ends its calls, then itself with 0, and nobody notices", async () => {
    const victims = oneOfEachPair();
    await using held = new AsyncDisposableStack();
    const calls = (await Promise.all(victims.map(hold))).map((call) => held.use(call));
    await underLoad(async (progress) => {
      for (const [index, victim] of victims.entries()) {
        await moved(progress, 5);
        const ended = victim.end("SIGTERM");
        await until(async () => (await victim.readiness().catch(String)) !== "ready");
        const answer = await calls[index]?.release();
        const { service } = victim;
        expect({ service, answer, code: await ended }).toEqual({ service, answer: "answered", code: 0 });
      }
      await moved(progress, 5);
      await Promise.all(victims.map((victim) => victim.restart()));
      await Promise.all(victims.map((victim) => victim.ready()));
    });
  });

  test("a block service that stands still keeps calls waiting for some seconds, and fails none", async () => {
    await using client = clientOf(0, 1);
    const [still] = cluster.blockServices;
    const content = randomBytes(8_000_000);
    const { key } = (await client.put(content)).confirmed;
    process.kill(still?.pid ?? 0, "SIGSTOP");
    try {
      const [bytes] = await Promise.all([bytesOf(client, key), client.put(randomBytes(8_000_000))]);
      expect(content.equals(bytes)).toBe(true);
      // By now the gateway has given the connection up, and a new one gets no further than to be accepted.
      for (let put = 0; put < 5; put += 1) await client.put(randomBytes(2_000_000), { deadline: Date.now() + 20_000 });
    } finally {
      process.kill(still?.pid ?? 0, "SIGCONT");
    }
  });

  test("a new block service is found by a gateway that starts with it, and takes its share", async () => {
    await using third = await cluster.start("block-service");
    await third.ready();
    const list = [...cluster.blockServices, third].map(({ address }) => address).join(",");
    await using front = await cluster.start("gateway", { GRAVITON_BLOCK_SERVICES: list });
    await front.ready();
    await using client = new GravitonClient({ endpoint: `http://${front.address}` });
    await client.put(randomBytes(4_000_000), { chunker: { kind: "fixed", blockBytes: 65_536 } });
    expect(await third.metrics()).toMatch(/graviton_calls_total\{[^}]*"PutBlocks",code="OK"\} [1-9]/);
  });

  test("an idle service of which there is one ends with 0 on SIGTERM", async () => {
    for (const service of ["kv-service", "object-service"] as const) {
      // The cluster's own holds the lock of its LevelDB.
      const process = await cluster.start(service, { GRAVITON_KV_BACKEND: "memory" });
      await process.ready();
      expect({ service, code: await process.end("SIGTERM") }).toEqual({ service, code: 0 });
    }
  });

  function oneOfEachPair(): ServiceProcess[] {
    const pairs = [cluster.blockServices, cluster.manifestServices, cluster.gateways];
    return pairs.flatMap((pair) => pair.slice(0, 1));
  }

  /**
   * Stores and reads blobs through both gateways, three at a time, for as long as something else goes on. None may fail,
   * and in the end everything is there.
   */
  async function underLoad(work: (progress: () => number) => Promise<void>): Promise<void> {
    await using client = clientOf(0, 1);
    const acknowledged: { key: Key; content: Buffer }[] = [];
    const errors: unknown[] = [];
    const load = { on: true };
    const worker = async () => {
      while (load.on) {
        const content = randomBytes(200_000 + Math.floor(Math.random() * 1_500_000));
        try {
          const { key } = (await client.put(content)).confirmed;
          acknowledged.push({ key, content });
          const known = acknowledged[Math.floor(Math.random() * acknowledged.length)];
          if (known !== undefined) expect(known.content.equals(await bytesOf(client, known.key))).toBe(true);
        } catch (error) {
          errors.push(error);
        }
      }
    };
    const workers = [worker(), worker(), worker()];
    try {
      await work(() => acknowledged.length);
    } finally {
      load.on = false;
      await Promise.all(workers);
    }
    expect(errors).toEqual([]);
    for (const { key, content } of acknowledged) {
      expect(content.equals(await bytesOf(client, key))).toBe(true);
    }
    expect(acknowledged.length).toBeGreaterThan(0);
  }

  /** Kills a process, lets the load go on without it for a while, and brings it back. */
  async function killAndRestart(victim: ServiceProcess, progress: () => number): Promise<void> {
    await moved(progress, 5);
    expect(await victim.end("SIGKILL")).toBeNull();
    await moved(progress, 10);
    await victim.restart();
    await victim.ready();
    await moved(progress, 5);
  }
});

/** A call that a process has begun, and cannot end before it is released. */
interface HeldCall extends AsyncDisposable {
  /** Lets it end, and resolves to `answered` or to its error. */
  release(): Promise<unknown>;
}

/** Has a process begin an upload which nobody could try again, since its source can be read once. */
async function hold(process: ServiceProcess): Promise<HeldCall> {
  const released = Promise.withResolvers<void>();
  const channel = connect(process.address);
  const answer = upload(process.service, channel, released.promise).then(
    () => "answered",
    (error: unknown) => error,
  );
  await until(async () => /^graviton_calls_in_flight\{[^}]*"Put[^}]*\} [1-9]/m.test(await process.metrics()));
  const release = () => {
    released.resolve();
    return answer;
  };
  return {
    release,
    async [Symbol.asyncDispose]() {
      await release();
      await channel[Symbol.asyncDispose]();
    },
  };
}

async function upload(service: string, channel: Channel, released: Promise<void>): Promise<unknown> {
  const bytes = randomBytes(1000);
  switch (service) {
    case "block-service":
      return Array.fromAsync(new RemoteBlockStore(channel).putBlocks({}, after(released, { bytes })));
    case "manifest-service":
      // Of the empty blob, which needs no blocks.
      return new RemoteManifestStore(channel).put(
        { key: keyOf("blake3", Buffer.of()), attributes: {} },
        after(released),
      );
    default:
      return new RemoteBlobStore(channel).put({}, after(released, bytes));
  }
}

async function* after<T>(released: Promise<void>, ...items: readonly T[]): AsyncGenerator<T, void, void> {
  await released;
  yield* items;
}

describe("The configuration of a process", () => {
  test.each(["block-service", "manifest-service", "kv-service", "object-service", "gateway"])(
    "that is wrong ends %s with 2, and a line that names the variable",
    async (service) => {
      const settings = { GRAVITON_GRPC_PRT: "1", GRAVITON_ADMIN_PORT: "many" };
      const { ServiceProcess: Process } = await import("./service-process.ts");
      const started = Process.start({ service, settings, log: () => {} });
      await expect(started).rejects.toThrow(
        `ended with 2 before it listened:\n${service}: GRAVITON_GRPC_PRT is no setting: see --help\n${service}: GRAVITON_ADMIN_PORT must be a whole number`,
      );
    },
  );
});

/** So many clients of a gateway: each begins to read, and then stands still until disposed. */
async function standingReaders(
  { address }: ServiceProcess,
  key: Key,
  count: number,
): Promise<AsyncDisposable & { readonly answers: string[] }> {
  await using clients = new AsyncDisposableStack();
  const read = async () => {
    const blobs = clients.use(new RemoteBlobStore(connect(address)));
    const stream = blobs.get(key)[Symbol.asyncIterator]();
    clients.defer(async () => void (await stream.return?.()));
    return stream.next().then(
      () => "bytes",
      (error: { reason?: string }) => error.reason ?? String(error),
    );
  };
  const answers = await Promise.all(Array.from({ length: count }, read));
  const held = clients.move();
  return { answers, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** The bytes of memory over which Kubernetes ends a process of this service. */
function memoryMax(service: string): number {
  const file = readFileSync(join(import.meta.dirname, `../../k8s/base/${service}.yaml`), "utf8");
  const [, amount, unit] = /limits: \{ memory: (\d+)(Mi|Gi) \}/.exec(file) ?? [];
  return Number(amount) * (unit === "Gi" ? 1024 : 1) * mebibyte;
}

function* random(mebibytes: number): Generator<Buffer> {
  for (let sent = 0; sent < mebibytes; sent += 1) yield randomBytes(mebibyte);
}

async function bytesOf(client: GravitonClient, key: Key): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(client.get(key)));
}

/** Resolves once so many puts more are acknowledged. */
function moved(progress: () => number, by: number): Promise<void> {
  const goal = progress() + by;
  return until(() => progress() >= goal);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  while (!(await condition())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
