import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { isStorageError, StorageError } from "@graviton/ports/storage-error";
import { connect } from "@graviton/rpc/channel";
import { checkHealth } from "@graviton/rpc/health";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { describe, expect, test } from "@jest/globals";
import { createLog } from "./log.ts";
import { type RunningService, type ServiceContext, type ServiceDefinition, startService } from "./run-service.ts";
import { readConfig } from "./settings.ts";
import { Collector } from "./testing/collector.ts";

const patience = AbortSignal.timeout(60_000);

/** The grace of a process that was given none. */
const defaultGraceMs = readConfig("kv-service", {}).graceSeconds * 1000;

describe("A process", () => {
  test("is ready when its backend answers, says what does not, and comes back without a restart", async () => {
    const backend = { away: "no answer from Postgres" };
    await using subject = await run({ check: () => backend.away });
    await subject.service.readiness.asked;
    expect(await subject.page("/readyz")).toMatchObject({
      status: 503,
      text: expect.stringContaining("no answer from Postgres"),
    });
    expect((await subject.page("/healthz")).status).toBe(200);
    expect((await subject.page("/metrics")).text).toContain("graviton_ready 0");
    await expect(checkHealth(subject.channel, patience)).rejects.toThrow("is not ready");
    backend.away = "";
    await until(async () => (await subject.page("/readyz")).status === 200);
    await checkHealth(subject.channel, patience);
    expect((await subject.page("/metrics")).text).toContain("graviton_ready 1");
    backend.away = "gone again";
    await until(async () => (await subject.page("/readyz")).text.includes("gone again"));
  });

  test("counts calls by method and status, bytes, and what runs", async () => {
    await using subject = await run({});
    await subject.store.put("a", Uint8Array.of(1, 2, 3));
    await expect(subject.store.compareAndSwap("a", undefined, Uint8Array.of(4))).rejects.toMatchObject({
      reason: "CONFLICT",
    });
    const { text } = await subject.page("/metrics");
    const call = 'service="graviton.kv.v1.KeyValueService",method=';
    expect(text).toContain(`graviton_calls_total{${call}"Put",code="OK"} 1`);
    expect(text).toContain(`graviton_calls_total{${call}"CompareAndSwap",code="ABORTED"} 1`);
    expect(text).toContain(`graviton_calls_in_flight{${call}"Put"} 0`);
    expect(text).toMatch(/graviton_received_bytes_total\{[^}]*"Put"\} 8/);
    expect(text).toContain(`graviton_build_info{process="kv-service",version="1.2.3",node="${process.version}"} 1`);
    expect(text).toContain("nodejs_eventloop_lag_p99_seconds");
  });

  test("logs one line a call, and the cause of a failure under the same request id", async () => {
    const failing = new StorageError("UNAVAILABLE", "no answer", { cause: new Error("ECONNREFUSED 10.0.0.7:5432") });
    await using subject = await run({ headers: { "x-request-id": "request-7" }, fail: failing });
    await expect(subject.store.get("a")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    const [failed, call] = subject.lines.filter(({ requestId }) => requestId === "request-7");
    expect(failed).toMatchObject({ level: "error", msg: "failed", cause: "ECONNREFUSED 10.0.0.7:5432" });
    expect(call).toMatchObject({
      level: "warn",
      msg: "call",
      call: "graviton.kv.v1.KeyValueService/Get",
      code: "UNAVAILABLE",
      peer: expect.stringContaining("127.0.0.1"),
      milliseconds: expect.any(Number),
      received: expect.any(Number),
    });
  });

  test("names a call itself when the caller's name is no plain text, and hands the name on", async () => {
    let handedOn: Readonly<Record<string, string>> = {};
    const onGet = (context: ServiceContext) => {
      handedOn = context.headers();
    };
    await using subject = await run({ headers: { "x-request-id": "two words" }, onGet });
    await subject.store.get("a");
    expect(handedOn["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(subject.lines.at(-1)).toMatchObject({ requestId: handedOn["x-request-id"] });
  });

  test("sends its part of a trace to the collector, and hands the trace on", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    await using collector = await Collector.listen();
    let handedOn: Readonly<Record<string, string>> = {};
    {
      await using subject = await run({
        otlp: collector.endpoint,
        headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
        onGet: (context) => {
          handedOn = context.headers();
        },
      });
      await subject.store.get("a");
    }
    await collector.toldOf(Buffer.from(traceId, "hex"), ["graviton.kv.v1.KeyValueService/Get", "kv-service"]);
    expect(handedOn.traceparent).toMatch(new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`));
  });

  test("outlives a collector that is not there", async () => {
    await using subject = await run({ otlp: "http://127.0.0.1:1" });
    await subject.store.put("a", Uint8Array.of(1));
  });

  test("drains: it says that it serves no more, takes no new calls, and lets those in flight end", async () => {
    const graceSeconds = 10;
    const held = heldCalls();
    await using subject = await run({ onGet: held.hold, graceSeconds });
    const answer = subject.store.get("a").then(() => "answered", reasonOf);
    await held.begun;
    const drained = subject.service.drain();
    expect(subject.service.readiness.ready).toBe(false);
    await until(async () => (await subject.store.put("b", Uint8Array.of(1)).catch(reasonOf)) === "UNAVAILABLE");
    // A grace that was lost, or whose seconds were taken for milliseconds, is over when this timer fires.
    await new Promise((resolve) => setTimeout(resolve, 2 * graceSeconds));
    held.release();
    expect(await answer).toBe("answered");
    await drained;
  });

  test("drains: calls that are still in flight after the grace are ended", async () => {
    const held = heldCalls();
    await using subject = await run({ onGet: held.hold, graceSeconds: 0 });
    const answer = subject.store.get("a").then(() => "answered", reasonOf);
    await held.begun;
    const drained = subject.service.drain().then(() => "drained");
    const tooLate = new Promise((resolve) => setTimeout(resolve, defaultGraceMs / 2, "too late").unref());
    expect(await Promise.race([drained, tooLate])).toBe("drained");
    expect(await answer).toBe("UNAVAILABLE");
    held.release();
  });
});

interface RunInit {
  /** What does not work, or the empty text. */
  readonly check?: () => string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly otlp?: string;
  readonly fail?: StorageError;
  readonly onGet?: (context: ServiceContext) => Promise<void> | void;
  readonly graceSeconds?: number;
}

interface Subject extends AsyncDisposable {
  readonly service: RunningService;
  readonly store: KeyValueStore;
  readonly channel: ReturnType<typeof connect>;
  readonly lines: Record<string, unknown>[];
  page(path: string): Promise<{ status: number; text: string }>;
}

async function run({ check = () => "", headers = {}, otlp, fail, onGet, graceSeconds }: RunInit): Promise<Subject> {
  const lines: Record<string, unknown>[] = [];
  const definition: ServiceDefinition = {
    name: "kv-service",
    says: "keeps keys and values",
    version: "1.2.3",
    async open(context) {
      const store = new InMemoryKeyValueStore();
      const get: KeyValueStore["get"] = async (key, options) => {
        await onGet?.(context);
        if (fail !== undefined) throw fail;
        return store.get(key, options);
      };
      const subject = Object.assign(Object.create(store) as KeyValueStore, {
        get,
        put: store.put.bind(store),
        compareAndSwap: store.compareAndSwap.bind(store),
      });
      return {
        routes: [kvRoutes(subject, context.routesOptions)],
        dependencies: [
          {
            name: "Postgres",
            async check() {
              if (check() !== "") throw new StorageError("UNAVAILABLE", check());
            },
          },
        ],
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      };
    },
  };
  const config = readConfig("kv-service", {
    GRAVITON_GRPC_PORT: "0",
    GRAVITON_ADMIN_PORT: "0",
    ...(otlp === undefined ? {} : { GRAVITON_OTLP_ENDPOINT: otlp }),
    ...(graceSeconds === undefined ? {} : { GRAVITON_GRACE_SECONDS: String(graceSeconds) }),
  });
  const log = createLog("kv-service", config, { write: (line) => void lines.push(JSON.parse(line)) });
  const service = await startService(definition, config, log);
  const channel = connect(`127.0.0.1:${service.grpcPort}`, { headers: () => headers });
  return {
    service,
    channel,
    store: new RemoteKeyValueStore(channel),
    lines,
    async page(path) {
      const response = await fetch(`http://127.0.0.1:${service.adminPort}${path}`);
      return { status: response.status, text: await response.text() };
    },
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await service.drain();
    },
  };
}

/** Calls that begin, and do not end before they are released. */
function heldCalls() {
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const hold = () => {
    begun.resolve();
    return released.promise;
  };
  return { begun: begun.promise, hold, release: released.resolve };
}

function reasonOf(error: unknown): unknown {
  return isStorageError(error) ? error.reason : error;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    patience.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
