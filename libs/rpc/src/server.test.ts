import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createClient, type ServiceImpl } from "@connectrpc/connect";
import type { Key } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";
import {
  BlobService,
  type PutBlobRequest,
  type PutBlobResponseSchema,
  type StatBlobResponseSchema,
} from "@graviton/proto/graviton/blob/v1/blob_pb";
import { BlockService } from "@graviton/proto/graviton/block/v1/block_pb";
import { Client, credentials, logVerbosity, Server, ServerCredentials, setLogVerbosity, status } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { RemoteBlobStore } from "./blob/remote.ts";
import { connect } from "./channel.ts";
import { fromWire } from "./errors.ts";
import { unchanged } from "./handlers.ts";
import { loopback } from "./loopback.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "./routes.ts";
import { type GrpcServer, serveGrpc } from "./server.ts";
import { connectionWindowBytes, streamWindowBytes } from "./windows.ts";

const frame = new Uint8Array(1024 * 1024);
const receipt: MessageInitShape<typeof PutBlobResponseSchema> = { created: true };
const info: MessageInitShape<typeof StatBlobResponseSchema> = {};
const key: Key = { algorithm: "blake3", digest: "00".repeat(32), size: 0 };

/** Routes of which only some methods are there. */
function blobs(methods: Partial<ServiceImpl<typeof BlobService>>, options?: RoutesOptions): Routes {
  const missing = () => {
    throw new StorageError("UNSUPPORTED", "not part of the test");
  };
  const names = Object.keys(BlobService.method) as (keyof typeof BlobService.method)[];
  const rest = Object.fromEntries(names.map((name) => [name, missing]));
  return defineRoutes(BlobService, { ...rest, ...methods } as ServiceImpl<typeof BlobService>, options);
}

function rawClient(server: GrpcServer): Client & AsyncDisposable {
  const client = new Client(server.address, credentials.createInsecure());
  return Object.assign(client, { [Symbol.asyncDispose]: async () => client.close() });
}

const putPath = "/graviton.blob.v1.BlobService/PutBlob";
const statPath = "/graviton.blob.v1.BlobService/StatBlob";

async function* endlessFrames(onFrame: () => void) {
  yield { part: { case: "plan" as const, value: {} } };
  for (;;) {
    onFrame();
    yield { part: { case: "frame" as const, value: frame } };
  }
}

describe("A call", () => {
  test("whose handler fails while the client still sends ends at once, and closes what the client sends", async () => {
    const routes = blobs({
      async putBlob() {
        throw new StorageError("EXHAUSTED", "the disk is full", { retryAfterMs: 1000 });
      },
    });
    await using served = await loopback(routes);
    const closed = Promise.withResolvers<void>();
    async function* source() {
      try {
        yield* endlessFrames(() => {});
      } finally {
        closed.resolve();
      }
    }
    const answer = createClient(BlobService, served.channel.transport).putBlob(source());
    const error = await answer.catch((failure: unknown) => fromWire(failure));
    expect(error).toMatchObject({ reason: "EXHAUSTED", message: "the disk is full", retryAfterMs: 1000 });
    await closed.promise;
  });

  test("whose handler answers before it has read everything succeeds", async () => {
    await using served = await loopback(blobs({ putBlob: async () => ({ ...receipt, freshBytes: 7n }) }));
    const client = createClient(BlobService, served.channel.transport);
    expect((await client.putBlob(endlessFrames(() => {}))).freshBytes).toBe(7n);
  });

  test("whose source is silent ends all the same when the handler fails", async () => {
    await using served = await loopback(
      blobs({
        async putBlob() {
          throw new StorageError("EXHAUSTED", "no");
        },
      }),
    );
    async function* silent(): AsyncGenerator<{ part: { case: "plan"; value: object } }> {
      yield { part: { case: "plan", value: {} } };
      await new Promise(() => {});
    }
    const answer = createClient(BlobService, served.channel.transport).putBlob(silent());
    expect(await answer.catch((failure: unknown) => fromWire(failure))).toMatchObject({ reason: "EXHAUSTED" });
  });

  test("that fails for no good reason tells the client nothing, and the hook everything, once", async () => {
    const failures: unknown[][] = [];
    const bug = new TypeError("undefined is not a store");
    const statBlob = async () => {
      throw bug;
    };
    const onError: RoutesOptions["onError"] = (error, { method, header }) => {
      failures.push([error, method, header.get("x-request-id")]);
    };
    await using served = await loopback(blobs({ statBlob }, { onError }));
    const client = createClient(BlobService, served.channel.transport);
    const error = await client.statBlob({}, { headers: { "x-request-id": "7" } }).catch((e: unknown) => fromWire(e));
    expect(error).toMatchObject({ reason: "UNAVAILABLE", message: expect.stringContaining("internal error") });
    expect(JSON.stringify(error)).not.toContain("undefined is not");
    expect(failures).toEqual([[bug, "graviton.blob.v1.BlobService/StatBlob", "7"]]);
  });

  test("carries headers and trailers both ways", async () => {
    await using served = await loopback(
      blobs({
        async statBlob(_, context) {
          context.responseHeader.set("x-seen", context.requestHeader.get("x-sent") ?? "nothing");
          context.responseTrailer.set("x-last", "bye");
          return info;
        },
        async *getBlob(_, context) {
          context.responseHeader.set("x-seen", context.requestHeader.get("x-sent") ?? "nothing");
          yield { frame };
          context.responseTrailer.set("x-last", "bye");
        },
      }),
    );
    const client = createClient(BlobService, served.channel.transport);
    const seen: (string | null)[] = [];
    const options = {
      headers: { "x-sent": "hello" },
      onHeader: (headers: Headers) => void seen.push(headers.get("x-seen")),
      onTrailer: (headers: Headers) => void seen.push(headers.get("x-last")),
    };
    await client.statBlob({}, options);
    for await (const _ of client.getBlob({}, options));
    expect(seen).toEqual(["hello", "bye", "hello", "bye"]);
  });
});

describe("Backpressure", () => {
  /** Long enough for hundreds of frames where nothing holds them back. */
  const aWhile = () => setTimeout(500);
  const framesMax = 30;

  test("A reader that stands still stops the handler", async () => {
    let made = 0;
    await using served = await loopback(
      blobs({
        async *getBlob() {
          for (;;) {
            made += 1;
            yield { frame };
          }
        },
      }),
    );
    const stop = new AbortController();
    const frames = createClient(BlobService, served.channel.transport).getBlob({}, { signal: stop.signal });
    await frames[Symbol.asyncIterator]().next();
    await aWhile();
    expect(made).toBeLessThan(framesMax);
    stop.abort();
  });

  test("A handler that stands still stops the sender", async () => {
    let sent = 0;
    const release = Promise.withResolvers<void>();
    await using served = await loopback(
      blobs({
        async putBlob(requests) {
          for await (const _ of requests) await release.promise;
          return receipt;
        },
      }),
    );
    const stop = new AbortController();
    const source = endlessFrames(() => {
      sent += 1;
    });
    const answer = createClient(BlobService, served.channel.transport).putBlob(source, { signal: stop.signal });
    await aWhile();
    expect(sent).toBeLessThan(framesMax);
    stop.abort();
    await expect(answer).rejects.toMatchObject({ name: "ConnectError" });
    release.resolve();
  });
});

describe("Giving up", () => {
  function waiting() {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<{ reason: unknown; timeoutMs: number | undefined }>();
    const statBlob: ServiceImpl<typeof BlobService>["statBlob"] = (_, context) => {
      const { signal, deadline } = callOptions(context);
      begun.resolve();
      return new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => {
          ended.resolve({ reason: signal.reason, timeoutMs: deadline });
          reject(signal.reason);
        });
      });
    };
    return { routes: blobs({ statBlob }), begun: begun.promise, ended: ended.promise };
  }

  test("cancels the handler's signal with CANCELLED", async () => {
    const { routes, begun, ended } = waiting();
    await using served = await loopback(routes);
    const stop = new AbortController();
    const answer = createClient(BlobService, served.channel.transport).statBlob({}, { signal: stop.signal });
    await begun;
    stop.abort();
    expect(await answer.catch((e: unknown) => fromWire(e))).toMatchObject({ reason: "CANCELLED" });
    expect(await ended).toMatchObject({ reason: { name: "StorageError", reason: "CANCELLED" }, timeoutMs: undefined });
  });

  test("passes the deadline on, and cancels the handler's signal with DEADLINE_EXCEEDED", async () => {
    const { routes, ended } = waiting();
    await using served = await loopback(routes);
    const before = Date.now();
    const answer = createClient(BlobService, served.channel.transport).statBlob({}, { timeoutMs: 300 });
    expect(await answer.catch((e: unknown) => fromWire(e))).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    const { reason, timeoutMs } = await ended;
    expect(reason).toMatchObject({ name: "StorageError", reason: "DEADLINE_EXCEEDED" });
    expect(timeoutMs).toBeGreaterThan(before);
    expect(timeoutMs).toBeLessThanOrEqual(Date.now() + 300);
  });

  test("with a deadline beyond what a timer can wait for waits all the same", async () => {
    await using served = await loopback(blobs({ statBlob: async () => info }));
    const client = createClient(BlobService, served.channel.transport);
    await expect(client.statBlob({}, { timeoutMs: 2 ** 40 })).resolves.toBeDefined();
  });

  test("closes a handler's stream that the client stopped reading", async () => {
    const closed = Promise.withResolvers<void>();
    await using served = await loopback(
      blobs({
        async *getBlob() {
          try {
            for (;;) yield { frame };
          } finally {
            closed.resolve();
          }
        },
      }),
    );
    const stop = new AbortController();
    const frames = createClient(BlobService, served.channel.transport).getBlob({}, { signal: stop.signal });
    await frames[Symbol.asyncIterator]().next();
    stop.abort();
    await closed.promise;
  });
});

describe("A broken upload is never taken for a whole one", () => {
  /** Counts how uploads end for the handler that reads them. */
  function counting() {
    const ends: string[] = [];
    const progress = { messages: 0 };
    const putBlob = async (requests: AsyncIterable<PutBlobRequest>) => {
      let outcome = "whole";
      try {
        for await (const { part } of requests) {
          progress.messages += 1;
          if (part.case === undefined) outcome = "broken";
        }
      } catch {
        outcome = "broken";
      }
      ends.push(outcome);
      return receipt;
    };
    return { ends, progress, routes: blobs({ putBlob }) };
  }

  async function allEnded(ends: string[], count: number): Promise<void> {
    const until = Date.now() + 4000;
    while (ends.length < count && Date.now() < until) await setImmediate();
    expect(ends).toHaveLength(count);
  }

  test("when its source fails", async () => {
    const { ends, routes } = counting();
    await using served = await loopback(routes);
    const client = createClient(BlobService, served.channel.transport);
    const failure = new Error("the source breaks off");
    for (let round = 0; round < 60; round += 1) {
      async function* source() {
        yield { part: { case: "plan" as const, value: {} } };
        for (let n = 0; n < round % 7; n += 1)
          yield { part: { case: "frame" as const, value: frame.subarray(n * 99) } };
        throw failure;
      }
      await expect(client.putBlob(source())).rejects.toBe(failure);
    }
    await allEnded(ends, 60);
    expect(new Set(ends)).toEqual(new Set(["broken"]));
  });

  test("when its deadline passes", async () => {
    const { ends, routes } = counting();
    await using served = await loopback(routes);
    const client = createClient(BlobService, served.channel.transport);
    async function* source() {
      yield { part: { case: "plan" as const, value: {} } };
      yield { part: { case: "frame" as const, value: frame } };
      await new Promise(() => {});
    }
    const calls = Array.from({ length: 20 }, () => client.putBlob(source(), { timeoutMs: 200 }));
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ reason: { code: Code.DeadlineExceeded } });
    }
    await allEnded(ends, 20);
    expect(new Set(ends)).toEqual(new Set(["broken"]));
  });

  test("when the connection breaks", async () => {
    const { ends, progress, routes } = counting();
    await using served = await loopback(routes);
    await using proxy = await breakableProxy(served.server.port);
    await using channel = connect(`127.0.0.1:${proxy.port}`);
    const answer = createClient(BlobService, channel.transport).putBlob(endlessFrames(() => {}));
    answer.catch(() => {});
    while (progress.messages < 3) await setImmediate();
    proxy.breakOff();
    expect(await answer.catch((e: unknown) => fromWire(e, "there"))).toMatchObject({ reason: "UNAVAILABLE" });
    await allEnded(ends, 1);
    expect(ends).toEqual(["broken"]);
  });
});

/** Hands everything on to a port of this machine, until it does not. */
async function breakableProxy(port: number) {
  const sockets: Socket[] = [];
  const proxy = createServer((client) => {
    const server = connectSocket(port, "127.0.0.1");
    client.pipe(server).pipe(client);
    sockets.push(client, server);
    for (const socket of [client, server]) socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  const breakOff = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (proxy.address() as { port: number }).port,
    breakOff,
    async [Symbol.asyncDispose]() {
      breakOff();
      proxy.close();
    },
  };
}

/** The HTTP/2 sessions that a port of this process accepts. */
function sessionsOf(port: number) {
  const seen: ServerHttp2Session[] = [];
  const listener = (message: unknown) => {
    const session = (message as { stream: ServerHttp2Stream }).stream.session as ServerHttp2Session;
    if (session.socket.localPort === port && !seen.includes(session)) seen.push(session);
  };
  subscribe("http2.server.stream.created", listener);
  return { seen, stop: () => void unsubscribe("http2.server.stream.created", listener) };
}

describe("Malformed input", () => {
  test.each([
    ["to a unary method", statPath],
    ["to a streaming method", putPath],
  ])("of bytes that are no message %s is INVALID_ARGUMENT", async (_, path) => {
    const putBlob = async (requests: AsyncIterable<PutBlobRequest>) => {
      for await (const _request of requests);
      return receipt;
    };
    await using served = await loopback(blobs({ putBlob, statBlob: async () => info }));
    await using client = rawClient(served.server);
    const failure = await new Promise((resolve) => {
      client.makeUnaryRequest(path, unchanged, unchanged, Buffer.from([0xff, 0xff]), resolve);
    });
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining("not a message") });
  });

  test("of a message over 4 MiB is EXHAUSTED and names both sizes", async () => {
    await using served = await loopback(blobs({ statBlob: async () => info }));
    const client = createClient(BlobService, served.channel.transport);
    const call = client.statBlob({ key: { digest: "a".repeat(5_000_000) } });
    expect(await call.catch((e: unknown) => fromWire(e))).toMatchObject({
      reason: "EXHAUSTED",
      message: expect.stringMatching(/larger than max \(50000\d\d vs 4194304\)/),
    });
  });

  test("of no request where one is needed is INVALID_ARGUMENT", async () => {
    await using served = await loopback(
      blobs({
        async *getBlob() {
          yield { frame };
        },
      }),
    );
    await using client = rawClient(served.server);
    const failure = await new Promise((resolve) => {
      const call = client.makeBidiStreamRequest("/graviton.blob.v1.BlobService/GetBlob", unchanged, unchanged);
      call.on("error", resolve);
      call.resume();
      call.end();
    });
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, details: "GetBlob needs a request" });
  });

  test("of a method that nobody serves is UNSUPPORTED", async () => {
    await using served = await loopback(blobs({}));
    const call = createClient(BlockService, served.channel.transport).blocksExist({});
    expect(await call.catch((e: unknown) => fromWire(e))).toMatchObject({ reason: "UNSUPPORTED" });
  });
});

describe("Windows", () => {
  test("of every connection are opened", async () => {
    await using served = await loopback(blobs({ statBlob: async () => info }));
    const sessions = sessionsOf(served.server.port);
    const client = createClient(BlobService, served.channel.transport);
    await client.statBlob({});
    await client.statBlob({});
    const [session] = sessions.seen;
    expect(session?.state.effectiveLocalWindowSize).toBe(connectionWindowBytes);
    while (session?.pendingSettingsAck) await setImmediate();
    expect(session?.localSettings).toMatchObject({ initialWindowSize: streamWindowBytes, maxFrameSize: 1024 * 1024 });
    sessions.stop();
  });

  test("of a server that is not ours stay as they are", async () => {
    await using served = await loopback(blobs({ statBlob: async () => info }));
    const other = new Server();
    const port = await new Promise<number>((resolve) => {
      other.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
    });
    const sessions = sessionsOf(port);
    await using channel = connect(`127.0.0.1:${port}`);
    await createClient(BlobService, served.channel.transport).statBlob({});
    await expect(createClient(BlobService, channel.transport).statBlob({})).rejects.toBeDefined();
    expect(sessions.seen[0]?.state.effectiveLocalWindowSize).toBe(65_535);
    sessions.stop();
    other.forceShutdown();
  });
});

describe("A server", () => {
  test("on a port that is taken is UNAVAILABLE, names the address and says what to do", async () => {
    await using served = await loopback(blobs({}));
    const { port, address } = served.server;
    setLogVerbosity(logVerbosity.NONE);
    await expect(serveGrpc({ routes: [], host: "127.0.0.1", port })).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      resource: address,
      message: expect.stringMatching(`cannot listen on ${address}: another process listens there: stop it`),
    });
  });

  test("lets others register their services before it listens", async () => {
    const seen: Server[] = [];
    const register = (server: Server) => void seen.push(server);
    await using server = await serveGrpc({ routes: [], host: "127.0.0.1", port: 0, register });
    expect(seen).toEqual([server.server]);
    expect(server.address).toBe(`127.0.0.1:${server.port}`);
  });

  test("that drains lets the calls in flight end, and takes no new ones", async () => {
    const begun = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const statBlob = async () => {
      begun.resolve();
      await release.promise;
      return info;
    };
    await using served = await loopback(blobs({ statBlob }));
    const client = createClient(BlobService, served.channel.transport);
    const inFlight = client.statBlob({});
    await begun.promise;
    const drained = served.server.drain(60_000);
    await using second = connect(served.server.address);
    const refused = createClient(BlobService, second.transport).statBlob({});
    expect(await refused.catch((e: unknown) => fromWire(e))).toMatchObject({ reason: "UNAVAILABLE" });
    release.resolve();
    await expect(inFlight).resolves.toBeDefined();
    await drained;
  });

  test("that drains ends the calls that take longer than their time of grace", async () => {
    const begun = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const statBlob: ServiceImpl<typeof BlobService>["statBlob"] = (_, { signal }) => {
      begun.resolve();
      signal.addEventListener("abort", () => aborted.resolve());
      return new Promise(() => {});
    };
    await using served = await loopback(blobs({ statBlob }));
    const outcome = new RemoteBlobStore(served.channel).stat(key).catch((error: unknown) => error);
    await begun.promise;
    await served.server.drain(10);
    expect(await outcome).toMatchObject({ reason: "UNAVAILABLE", resource: served.server.address });
    await aborted.promise;
  });
});
