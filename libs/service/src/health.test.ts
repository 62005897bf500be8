import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  Health as HealthService,
} from "@graviton/proto/grpc/health/v1/health_pb";
import { type GrpcServer, serveGrpc } from "@graviton/rpc/server";
import { Client, credentials } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { Health } from "./health.ts";

const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;

const service = "graviton.blob.v1.BlobService";

describe("Health", () => {
  test("tells those who watch what changes, and ends their watch when the process serves no more", async () => {
    const health = new Health([service]);
    const server = await serving(health);
    await using watch = watching(server.address);
    expect(await watch.next()).toBe(NOT_SERVING);
    health.set(true);
    expect(await watch.next()).toBe(SERVING);
    health.setEach((name) => name !== service);
    expect(await watch.next()).toBe(NOT_SERVING);
    health.setEach((name) => name !== service);
    health.setEach(() => true);
    expect(await watch.next()).toBe(SERVING);
    health.set(false);
    health.set(false);
    expect(await watch.next()).toBe(NOT_SERVING);
    expect(await watch.next()).toBeUndefined();
    await server.drain(60_000);
  });

  test("holds up no drain for a watch that begins after that", async () => {
    const health = new Health([service]);
    const server = await serving(health);
    health.set(false);
    await using watch = watching(server.address);
    expect(await watch.next()).toBe(NOT_SERVING);
    expect(await watch.next()).toBeUndefined();
    await server.drain(60_000);
  });
});

function serving(health: Health): Promise<GrpcServer> {
  return serveGrpc({ routes: [], host: "127.0.0.1", port: 0, register: (server) => health.register(server) });
}

interface Watch extends AsyncDisposable {
  /** What the server says next; undefined once it has ended the watch in good order. */
  next(): Promise<HealthCheckResponse_ServingStatus | undefined>;
}

function watching(address: string): Watch {
  const client = new Client(address, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  const { parent, name } = HealthService.method.watch;
  const call = client.makeServerStreamRequest<unknown, HealthCheckResponse>(
    `/${parent.typeName}/${name}`,
    () => Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }))),
    (bytes) => fromBinary(HealthCheckResponseSchema, bytes),
    {},
  );
  const statuses = call[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await statuses.next();
      return done ? undefined : value.status;
    },
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}
