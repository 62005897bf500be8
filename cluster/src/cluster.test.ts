import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { runGraviton } from "@graviton/cli/testing/run-graviton";
import { GravitonClient } from "@graviton/client/client";
import { formatKey, type Key } from "@graviton/ports/key";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { connect } from "@graviton/rpc/channel";
import { findS3Engine } from "@graviton/s3/testing/s3-engine";
import { Collector } from "@graviton/service/testing/collector";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { examples } from "../../examples/run-examples.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { ServiceProcess } from "./service-process.ts";

jest.setTimeout(300_000);

const why = findS3Engine("versitygw") === undefined ? "no versitygw is installed" : undefined;
const title = why === undefined ? "A cluster of ten processes" : `A cluster cannot be tested: ${why}`;
const describeCluster = why === undefined || process.env.CI !== undefined ? describe : describe.skip;

describeCluster(title, () => {
  let cluster: Cluster;
  let collector: Collector;
  let folder: string;
  const lines: { readonly process: string; readonly [field: string]: unknown }[] = [];

  beforeAll(async () => {
    if (why !== undefined) throw new Error(why);
    folder = await mkdtemp(join(tmpdir(), "graviton-cluster-test-"));
    const log = (_: string, line: string) => void lines.push(JSON.parse(line));
    collector = await Collector.listen();
    cluster = await startCluster({ s3: "versitygw", log, settings: { GRAVITON_OTLP_ENDPOINT: collector.endpoint } });
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
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
    expect(JSON.parse(stat.stdout)).toMatchObject({ locators: ["s3://graviton/blocks"] });
    const text = await runGraviton(["stat", formatKey(key)], { endpoint: endpoint(1) });
    expect(text.stdout).toMatch(/stored in: +s3:\/\/graviton\/blocks/);
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
      await writeFile(file, `stored from ${example.language}, ${randomBytes(16).toString("hex")}`);
      expect(await example.run(endpoint(1), file)).toContain("Listed");
    });
  }

  test("one of each pair may be killed under load, and nobody notices", async () => {
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
    const pairs = [cluster.blockServices, cluster.manifestServices, cluster.gateways];
    for (const [victim] of pairs) {
      if (victim !== undefined) await killAndRestart(victim, () => acknowledged.length);
    }
    load.on = false;
    await Promise.all(workers);
    expect(errors).toEqual([]);
    for (const { key, content } of acknowledged) {
      expect(content.equals(await bytesOf(client, key))).toBe(true);
    }
    expect(acknowledged.length).toBeGreaterThan(0);
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

  test("SIGTERM drains every kind of process, and it ends with 0", async () => {
    const services = ["block-service", "manifest-service", "kv-service", "object-service", "gateway"] as const;
    for (const service of services) {
      // The cluster's own holds the lock of its LevelDB.
      const process = await cluster.start(service, { GRAVITON_KV_BACKEND: "memory" });
      await process.ready();
      expect({ service, code: await process.end("SIGTERM") }).toEqual({ service, code: 0 });
    }
  });

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

async function bytesOf(client: GravitonClient, key: Key): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(client.get(key)));
}

/** Resolves once so many puts more are acknowledged. */
function moved(progress: () => number, by: number): Promise<void> {
  const goal = progress() + by;
  return until(() => progress() >= goal);
}

async function until(condition: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  while (!condition()) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
