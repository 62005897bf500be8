import { setTimeout } from "node:timers/promises";
import { createClient, type ServiceImpl } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import { BlobService, type PutBlobRequest } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { BlockService } from "@graviton/proto/graviton/block/v1/block_pb";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { blobRoutesInPart, endlessFrames, frame, info, receipt } from "./blob-routes-in-part.ts";
import { fromWire } from "./errors.ts";
import { unchanged } from "./handlers.ts";
import { loopback } from "./loopback.ts";
import { callOptions, type RoutesOptions } from "./routes.ts";
import type { GrpcServer } from "./server.ts";

const putPath = "/graviton.blob.v1.BlobService/PutBlob";
const statPath = "/graviton.blob.v1.BlobService/StatBlob";
const getPath = "/graviton.blob.v1.BlobService/GetBlob";

describe("A call", () => {
  test("whose handler fails while the client still sends ends at once, and closes what the client sends", async () => {
    const routes = blobRoutesInPart({
      async putBlob() {
        throw new StorageError("EXHAUSTED", "the disk is full", { retryAfterMs: 1000 });
      },
    });
    await using served = await loopback(routes);
    const closed = Promise.withResolvers<void>();
    async function* source() {
      try {
        yield* endlessFrames();
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
    await using served = await loopback(blobRoutesInPart({ putBlob: async () => ({ ...receipt, freshBytes: 7n }) }));
    const client = createClient(BlobService, served.channel.transport);
    expect((await client.putBlob(endlessFrames())).freshBytes).toBe(7n);
  });

  test("whose source is silent ends all the same when the handler fails", async () => {
    await using served = await loopback(
      blobRoutesInPart({
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
    const onError: RoutesOptions["onError"] = (error, { method }) => {
      failures.push([error, method]);
    };
    await using served = await loopback(blobRoutesInPart({ statBlob }, { onError }));
    const client = createClient(BlobService, served.channel.transport);
    const error = await client.statBlob({}).catch((e: unknown) => fromWire(e));
    expect(error).toMatchObject({ reason: "UNAVAILABLE", message: expect.stringContaining("internal error") });
    expect(JSON.stringify(error)).not.toContain("undefined is not");
    expect(failures).toEqual([[bug, "graviton.blob.v1.BlobService/StatBlob"]]);
  });

  test("carries headers and trailers both ways", async () => {
    await using served = await loopback(
      blobRoutesInPart({
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
      blobRoutesInPart({
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
      blobRoutesInPart({
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
    return { routes: blobRoutesInPart({ statBlob }), begun: begun.promise, ended: ended.promise };
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

  test("passes the deadline on, and ends the call with DEADLINE_EXCEEDED", async () => {
    const { routes, ended } = waiting();
    await using served = await loopback(routes);
    const before = Date.now();
    const answer = createClient(BlobService, served.channel.transport).statBlob({}, { timeoutMs: 300 });
    expect(await answer.catch((e: unknown) => fromWire(e))).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    const { timeoutMs } = await ended;
    expect(timeoutMs).toBeGreaterThan(before);
    expect(timeoutMs).toBeLessThanOrEqual(Date.now() + 300);
  });

  test("cancels the handler's signal with DEADLINE_EXCEEDED for a client who leaves the deadline to the server", async () => {
    const { routes, ended } = waiting();
    await using served = await loopback(routes);
    await using client = rawClient(served.server);
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "300m");
    const failure = await new Promise((resolve) => {
      client.makeUnaryRequest(statPath, unchanged, unchanged, Buffer.alloc(0), metadata, resolve);
    });
    expect(failure).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect((await ended).reason).toMatchObject({ name: "StorageError", reason: "DEADLINE_EXCEEDED" });
  });

  test("with a deadline beyond what a timer can wait for waits all the same", async () => {
    await using served = await loopback(blobRoutesInPart({ statBlob: async () => info }));
    const client = createClient(BlobService, served.channel.transport);
    await expect(client.statBlob({}, { timeoutMs: 2 ** 40 })).resolves.toBeDefined();
  });

  test("by a deadline ends a handler also for a client who neither reads nor goes away", async () => {
    const closed = Promise.withResolvers<unknown>();
    await using served = await loopback(
      blobRoutesInPart({
        async *getBlob(_, { signal }) {
          try {
            for (;;) yield { frame };
          } finally {
            closed.resolve(signal.reason);
          }
        },
      }),
    );
    await using client = rawClient(served.server);
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "200m");
    const call = client.makeBidiStreamRequest(getPath, unchanged, unchanged, metadata);
    call.on("error", () => {});
    call.on("data", () => call.pause());
    call.write(Buffer.alloc(0));
    expect(await closed.promise).toMatchObject({ name: "StorageError", reason: "DEADLINE_EXCEEDED" });
    call.cancel();
  });

  test("closes a handler's stream that the client stopped reading", async () => {
    const closed = Promise.withResolvers<void>();
    await using served = await loopback(
      blobRoutesInPart({
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

describe("Malformed input", () => {
  test.each([
    ["to a unary method", statPath],
    ["to a streaming method", putPath],
  ])("of bytes that are no message %s is INVALID_ARGUMENT", async (_, path) => {
    const putBlob = async (requests: AsyncIterable<PutBlobRequest>) => {
      for await (const _request of requests);
      return receipt;
    };
    await using served = await loopback(blobRoutesInPart({ putBlob, statBlob: async () => info }));
    await using client = rawClient(served.server);
    const failure = await new Promise((resolve) => {
      client.makeUnaryRequest(path, unchanged, unchanged, Buffer.from([0xff, 0xff]), resolve);
    });
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining("not a message") });
  });

  test("of a message over 4 MiB is EXHAUSTED and names both sizes", async () => {
    await using served = await loopback(blobRoutesInPart({ statBlob: async () => info }));
    const client = createClient(BlobService, served.channel.transport);
    const call = client.statBlob({ key: { digest: "a".repeat(5_000_000) } });
    expect(await call.catch((e: unknown) => fromWire(e))).toMatchObject({
      reason: "EXHAUSTED",
      message: expect.stringMatching(/larger than max \(50000\d\d vs 4194304\)/),
    });
  });

  test("of no request where one is needed is INVALID_ARGUMENT", async () => {
    await using served = await loopback(
      blobRoutesInPart({
        async *getBlob() {
          yield { frame };
        },
      }),
    );
    await using client = rawClient(served.server);
    const failure = await new Promise((resolve) => {
      const call = client.makeBidiStreamRequest(getPath, unchanged, unchanged);
      call.on("error", resolve);
      call.resume();
      call.end();
    });
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, details: "GetBlob needs a request" });
  });

  test("of a method that nobody serves is UNSUPPORTED", async () => {
    await using served = await loopback(blobRoutesInPart({}));
    const call = createClient(BlockService, served.channel.transport).blocksExist({});
    expect(await call.catch((e: unknown) => fromWire(e))).toMatchObject({ reason: "UNSUPPORTED" });
  });
});

function rawClient(server: GrpcServer): Client & AsyncDisposable {
  const client = new Client(server.address, credentials.createInsecure());
  return Object.assign(client, { [Symbol.asyncDispose]: async () => client.close() });
}
