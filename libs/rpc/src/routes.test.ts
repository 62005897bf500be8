import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createContextValues,
  createRouterTransport,
  type HandlerContext,
} from "@connectrpc/connect";
import { InMemoryObjectStore } from "@graviton/memory/object-store";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { ErrorInfoSchema } from "@graviton/proto/google/rpc/error_details_pb";
import { ObjectService, type PutObjectRequestSchema } from "@graviton/proto/graviton/object/v1/object_pb";
import { RangeTrackerService } from "@graviton/proto/graviton/range/v1/range_pb";
import { expect, jest, test } from "@jest/globals";
import { fromWire } from "./errors.ts";
import { objectRoutes } from "./object/routes.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "./routes.ts";

const locator = "mem://bucket/a";

/** The same routes behind Connect's own router, as the gateway mounts them. */
function overConnect(routes: Routes) {
  return createRouterTransport((router) => void router.service(routes.service, routes.implementation));
}

function objects(options?: RoutesOptions) {
  return createClient(ObjectService, overConnect(objectRoutes(new InMemoryObjectStore(new Map()), options)));
}

type PutRequest = MessageInitShape<typeof PutObjectRequestSchema>;

async function* upload(...parts: Uint8Array[]): AsyncGenerator<PutRequest> {
  yield { part: { case: "header" as const, value: { locator } } };
  for (const value of parts) yield { part: { case: "frame" as const, value } };
  yield { part: { case: "end" as const, value: {} } };
}

test("Routes work on a ConnectRouter as they do on grpc-js", async () => {
  const client = objects();
  const { info } = await client.putObject(upload(Uint8Array.of(1, 2), Uint8Array.of(3)));
  expect(info).toMatchObject({ locator, size: 3n });
  const frames = await Array.fromAsync(client.getObject({ locator }));
  expect(Buffer.concat(frames.map(({ frame }) => frame))).toEqual(Buffer.of(1, 2, 3));
});

test("An upload that stops without its end, as one of a client that gave up may, leaves the old object", async () => {
  const client = objects();
  await client.putObject(upload(Uint8Array.of(1, 2, 3)));
  async function* broken() {
    for await (const request of upload(Uint8Array.of(4))) if (request.part?.case !== "end") yield request;
  }
  await expect(client.putObject(broken())).rejects.toMatchObject({ code: Code.InvalidArgument });
  const frames = await Array.fromAsync(client.getObject({ locator }));
  expect(Buffer.concat(frames.map(({ frame }) => frame))).toEqual(Buffer.of(1, 2, 3));
});

test("On a ConnectRouter their errors are ConnectErrors with code and details", async () => {
  const client = objects();
  const unary = await client.headObject({ locator }).catch((error: unknown) => error);
  const stream = await Array.fromAsync(client.getObject({ locator })).catch((error: unknown) => error);
  for (const error of [unary, stream] as ConnectError[]) {
    expect(error).toMatchObject({ name: "ConnectError", code: Code.NotFound });
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "NOT_FOUND", domain: "graviton" }]);
  }
});

test("A failure is reported once, with its cause and its method", async () => {
  const reports: unknown[][] = [];
  const client = objects({ onError: (error, { method }) => void reports.push([error, method]) });
  await expect(client.headObject({ locator: "nowhere" })).rejects.toMatchObject({ code: Code.InvalidArgument });
  await expect(Array.fromAsync(client.getObject({ locator }))).rejects.toMatchObject({ code: Code.NotFound });
  expect(reports).toEqual([
    [expect.objectContaining({ reason: "INVALID_ARGUMENT" }), "graviton.object.v1.ObjectService/HeadObject"],
    [expect.objectContaining({ reason: "NOT_FOUND" }), "graviton.object.v1.ObjectService/GetObject"],
  ]);
});

test("Failures that nobody foresaw become warnings where nobody asked for them, and those that are foreseen do not", async () => {
  const warn = jest.spyOn(process, "emitWarning").mockImplementation(() => {});
  const failures = [new TypeError("a bug"), new StorageError("NOT_FOUND", "as foreseen")];
  const routes = defineRoutes(RangeTrackerService, {
    async getSpans() {
      throw failures.shift();
    },
    mergeSpan: () => ({}),
  });
  const client = createClient(RangeTrackerService, overConnect(routes));
  const bug = await client.getSpans({}).catch((error: unknown) => error);
  expect(bug).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
  await expect(client.getSpans({})).rejects.toMatchObject({ code: Code.NotFound });
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/^graviton\.range\.v1\.RangeTrackerService\/GetSpans failed: TypeError: a bug/)],
  ]);
  warn.mockRestore();
});

test("A port learns of Connect's own cancellation and deadline by reasons that it knows", () => {
  for (const [code, reason] of [
    [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
    [Code.Canceled, "CANCELLED"],
  ] as const) {
    for (const early of [true, false]) {
      const controller = new AbortController();
      const abort = () => controller.abort(new ConnectError("the operation timed out", code));
      if (early) abort();
      const values = createContextValues();
      const context = { signal: controller.signal, timeoutMs: () => 1000, values } as unknown as HandlerContext;
      const { signal, deadline } = callOptions(context);
      if (!early) abort();
      expect(hasReason(signal?.reason, reason)).toBe(true);
      expect(deadline).toBeGreaterThan(Date.now());
    }
  }
});

test("A port that is fed by a client who breaks off sees that as a StorageError", async () => {
  const seen = Promise.withResolvers<unknown>();
  const routes = defineRoutes(ObjectService, {
    ...objectRoutes(new InMemoryObjectStore(new Map())).implementation,
    async putObject(requests) {
      try {
        for await (const _ of requests);
      } catch (error) {
        seen.resolve(error);
      }
      return {};
    },
  });
  async function* breaking() {
    yield { part: { case: "header" as const, value: { locator } } };
    throw new Error("the client's own");
  }
  await createClient(ObjectService, overConnect(routes))
    .putObject(breaking())
    .catch((error: unknown) => fromWire(error));
  expect(await seen.promise).toMatchObject({ name: "StorageError" });
});
