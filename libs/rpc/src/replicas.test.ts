import { createClient, type ServiceImpl } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { Health, HealthCheckResponse_ServingStatus } from "@graviton/proto/grpc/health/v1/health_pb";
import { describe, expect, jest, test } from "@jest/globals";
import { blobRoutesInPart, receipt } from "./blob-routes-in-part.ts";
import { fromWire } from "./errors.ts";
import { type Replica, Replicas, type ReplicasChange } from "./replicas.ts";
import { defineRoutes } from "./routes.ts";
import { serveGrpc } from "./server.ts";
import { silentServer } from "./testing/silent-server.ts";

const hint = "set GRAVITON_MANIFEST_SERVICES";

describe("The replicas of a service", () => {
  test("take calls in turn", async () => {
    const served = { first: 0, second: 0 };
    await using first = await counting(() => served.first++);
    await using second = await counting(() => served.second++);
    await using replicas = new Replicas(init([first.address, second.address]));
    while (served.first === 0 || served.second === 0) await stat(replicas);
    const before = { ...served };
    for (let call = 0; call < 6; call += 1) await stat(replicas);
    expect(served).toEqual({ first: before.first + 3, second: before.second + 3 });
  });

  test("that do not answer are passed over for a while", async () => {
    let served = 0;
    const gone = await counting(() => {});
    await gone[Symbol.asyncDispose]();
    await using alive = await counting(() => served++);
    await using replicas = new Replicas(init([gone.address, alive.address]));
    await replicas.resolved;
    const outcomes = await Array.fromAsync({ length: 4 }, () => stat(replicas).then(() => "served", reasonOf));
    expect(outcomes.filter((outcome) => outcome === "UNAVAILABLE").length).toBeLessThanOrEqual(1);
    expect(served).toBeGreaterThanOrEqual(3);
  });

  test.each([0, 1])("that cannot be reached take no stream, which is taken from once: in turn %d", async (turn) => {
    await using pair = await aliveAndGone(turn);
    await using replicas = new Replicas(init(pair.addresses));
    for (let put = 0; put < 3; put += 1) {
      let taken = 0;
      await upload(replicas, () => taken++);
      expect(taken).toBe(1);
    }
  });

  test("rest while they cannot be reached, also before a call to them has failed", async () => {
    await using pair = await aliveAndGone();
    await using replicas = new Replicas(init(pair.addresses));
    await replicas.resolved;
    const patience = AbortSignal.timeout(10_000);
    while (!restingOf(replicas).includes(pair.gone)) await turn(patience);
    await stat(replicas);
    expect(restingOf(replicas)).toEqual([pair.gone]);
  });

  test("that keep a call waiting for their connection do so within its deadline", async () => {
    await using silent = await silentServer();
    await using replicas = new Replicas(init([silent.address]));
    const call = createClient(BlobService, replicas.channel.transport).statBlob({}, { timeoutMs: 50 });
    expect(await call.catch(reasonOf)).toBe("DEADLINE_EXCEEDED");
  });

  test("that are new keep nobody waiting while another is connected", async () => {
    await using alive = await counting(() => {});
    await using silent = await silentServer();
    const known = new Set(["alive"]);
    const added = Promise.withResolvers<void>();
    await using replicas = new Replicas({
      ...init([alive, silent].map(({ address }, at) => `${["alive", "silent"][at]}:${address.split(":")[1]}`)),
      resolve: async (name) => (known.has(name) ? ["127.0.0.1"] : []),
      resolveMs: 1,
      onChange: () => replicas.current().length === 2 && added.resolve(),
    });
    await stat(replicas);
    known.add("silent");
    await added.promise;
    const client = createClient(BlobService, replicas.channel.transport);
    for (let call = 0; call < 4; call += 1) await client.statBlob({}, { timeoutMs: 10_000 });
    expect(restingOf(replicas)).toEqual([]);
  });

  test("are asked once their names have resolved, however soon the call comes", async () => {
    await using server = await counting(() => {});
    const [host = "", port] = server.address.split(":");
    const resolve = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return [host];
    };
    await using replicas = new Replicas({ ...init([`blocks:${port}`]), resolve });
    await stat(replicas);
  });

  test("rest until they answer again", async () => {
    const server = await counting(() => {});
    await using replicas = new Replicas(init([server.address]));
    await stat(replicas);
    await server[Symbol.asyncDispose]();
    await expect(stat(replicas)).rejects.toThrow();
    expect(replicas.current().map(({ resting }) => resting)).toEqual([true]);
    const statBlob = async () => ({});
    const back = { routes: [blobRoutesInPart({ statBlob })], host: "127.0.0.1", port: server.port };
    await using _back = await serveGrpc(back);
    while (
      !(await stat(replicas).then(
        () => true,
        () => false,
      ))
    );
    expect(replicas.current().map(({ resting }) => resting)).toEqual([false]);
  });

  test("rest no longer for many calls that fail together than for one", async () => {
    using clock = stoppedClock();
    await using failing = await answering({ statBlob: unavailable });
    await using replicas = new Replicas(init([failing.address]));
    await Promise.all(Array.from({ length: 8 }, () => stat(replicas).catch(reasonOf)));
    expect(restingOf(replicas)).toEqual([failing.address]);
    clock.set(2000);
    expect(restingOf(replicas)).toEqual([]);
  });

  test("rest while they say that they do not serve, whatever they answer", async () => {
    const says = { serving: false };
    await using server = await answering({}, says);
    await using replicas = new Replicas(init([server.address]));
    await replicas.resolved;
    await expect(check(replicas)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await stat(replicas);
    expect(restingOf(replicas)).toEqual([server.address]);
    says.serving = true;
    await check(replicas);
    expect(restingOf(replicas)).toEqual([]);
  });

  test("whose calls fail do not end their rest by saying that they serve", async () => {
    using _clock = stoppedClock();
    await using server = await answering({ statBlob: unavailable });
    await using replicas = new Replicas(init([server.address]));
    await expect(stat(replicas)).rejects.toThrow();
    await check(replicas);
    expect(restingOf(replicas)).toEqual([server.address]);
  });

  test("end the rest of failed calls by serving again", async () => {
    using _clock = stoppedClock();
    const says = { serving: false };
    await using server = await answering({ statBlob: unavailable }, says);
    await using replicas = new Replicas(init([server.address]));
    await expect(stat(replicas)).rejects.toThrow();
    await expect(check(replicas)).rejects.toThrow("is not ready");
    says.serving = true;
    await check(replicas);
    expect(restingOf(replicas)).toEqual([]);
  });

  test("that accept connections and say nothing are passed over until they speak, however long that takes", async () => {
    await using alive = await counting(() => {});
    await using silent = await silentServer();
    const now = jest.spyOn(performance, "now");
    try {
      await using replicas = new Replicas({
        ...init([alive.address, silent.address]),
        channel: { connectMsMax: 100 },
      });
      await replicas.resolved;
      const other = replicas.current().find(({ name }) => name === silent.address);
      expect(await stat(other).catch(reasonOf)).toBe("UNAVAILABLE");
      // On a busy machine the one that is alive may be late for its first connection too.
      while (
        !(await stat(replicas).then(
          () => true,
          () => false,
        ))
      );
      now.mockReturnValue(Number.MAX_SAFE_INTEGER);
      for (let call = 0; call < 4; call += 1) await stat(replicas);
      expect(restingOf(replicas)).toEqual([silent.address]);
    } finally {
      now.mockRestore();
    }
  });

  test("are all addresses of a name, asked again while the process runs", async () => {
    let addresses = ["10.0.0.1"];
    const changes: ReplicasChange[] = [];
    const changed = Promise.withResolvers<void>();
    const onChange = (change: ReplicasChange) => {
      changes.push(change);
      addresses = ["10.0.0.2", "10.0.0.3"];
      if (changes.length === 2) changed.resolve();
    };
    const resolve = async () => addresses;
    await using replicas = new Replicas({ ...init(["blocks:7481"]), resolve, onChange, resolveMs: 1 });
    await changed.promise;
    expect(replicas.current().map(({ name }) => name)).toEqual(["10.0.0.2:7481", "10.0.0.3:7481"]);
    expect(changes[1]).toMatchObject({ removed: ["10.0.0.1:7481"], added: ["10.0.0.2:7481", "10.0.0.3:7481"] });
  });

  test("stay when their name does not resolve any more", async () => {
    let calls = 0;
    const asked = Promise.withResolvers<void>();
    const resolve = async () => {
      calls += 1;
      if (calls === 1) return ["10.0.0.1"];
      throw new Error("SERVFAIL");
    };
    const onChange = ({ failed }: ReplicasChange) => void (failed.length > 0 && asked.resolve());
    await using replicas = new Replicas({ ...init(["blocks:7481"]), resolve, onChange, resolveMs: 1 });
    await asked.promise;
    expect(replicas.current().map(({ name }) => name)).toEqual(["10.0.0.1:7481"]);
  });

  test.each([
    ["an empty list", [], "its list is empty"],
    ["a name that nobody has", ["nobody:7482"], "nobody:7482 resolves to no address"],
  ])("of %s are UNAVAILABLE, and the error names the setting", async (_, addresses, says) => {
    const resolve = () => Promise.reject(new Error("ENOTFOUND"));
    await using replicas = new Replicas({ ...init(addresses), resolve });
    await replicas.resolved;
    const error = await stat(replicas).catch((failure: unknown) => failure);
    expect(String(error)).toContain(says);
    expect(String(error)).toContain(hint);
  });
});

function init(addresses: readonly string[]) {
  return { name: "manifest-service", addresses, hint, resolveMs: 60_000 };
}

function counting(count: () => void) {
  const statBlob = async () => {
    count();
    return {};
  };
  return answering({ statBlob });
}

/** A server whose health is what it says then. */
function answering(methods: Partial<ServiceImpl<typeof BlobService>>, says = { serving: true }) {
  const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
  const health = defineRoutes(Health, {
    check: () => ({ status: says.serving ? SERVING : NOT_SERVING }),
    list: () => ({}),
    async *watch() {},
  });
  const statBlob = async () => ({});
  const putBlob = async (requests: AsyncIterable<unknown>) => {
    for await (const _ of requests);
    return receipt;
  };
  const routes = [blobRoutesInPart({ statBlob, putBlob, ...methods }), health];
  return serveGrpc({ routes, host: "127.0.0.1", port: 0 });
}

/** Two addresses in the order in which they take turns. Nobody is at one of them. */
async function aliveAndGone(turnOfGone = 1) {
  const servers = [await answering({}), await answering({})].sort((a, b) => (a.address < b.address ? -1 : 1));
  const addresses = servers.map(({ address }) => address);
  await servers[turnOfGone]?.[Symbol.asyncDispose]();
  return {
    addresses,
    gone: addresses[turnOfGone] ?? "",
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

async function unavailable(): Promise<never> {
  throw new StorageError("UNAVAILABLE", "no answer from Postgres");
}

function stat(called: Replicas | Replica | undefined) {
  if (called === undefined) throw new Error("there is no such replica");
  return createClient(BlobService, called.channel.transport).statBlob({});
}

/** Puts a stream that can be read once. */
function upload(replicas: Replicas, onTaken: () => void) {
  async function* once() {
    onTaken();
    yield { part: { case: "plan" as const, value: {} } };
  }
  return createClient(BlobService, replicas.channel.transport).putBlob(once());
}

/** Asks each whether it serves. */
async function check(replicas: Replicas) {
  for (const replica of replicas.current()) await replica.check(AbortSignal.timeout(60_000));
}

function restingOf(replicas: Replicas): string[] {
  return replicas.current().flatMap(({ name, resting }) => (resting ? [name] : []));
}

async function turn(patience: AbortSignal) {
  patience.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A clock that stands still until it is set. */
function stoppedClock() {
  const now = jest.spyOn(performance, "now").mockReturnValue(1000);
  return { set: (ms: number) => void now.mockReturnValue(ms), [Symbol.dispose]: () => now.mockRestore() };
}

function reasonOf(error: unknown) {
  return fromWire(error).reason;
}
