import { createClient, type ServiceImpl } from "@connectrpc/connect";
import type { Key } from "@graviton/ports/key";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { logVerbosity, type Server, setLogVerbosity } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { RemoteBlobStore } from "./blob/remote.ts";
import { blobRoutesInPart, info } from "./blob-routes-in-part.ts";
import { connect } from "./channel.ts";
import { fromWire } from "./errors.ts";
import { loopback } from "./loopback.ts";
import { serveGrpc } from "./server.ts";

const key: Key = { algorithm: "blake3", digest: "00".repeat(32), size: 0 };

describe("A server", () => {
  test("on a port that is taken is UNAVAILABLE, names the address and says what to do", async () => {
    await using served = await loopback(blobRoutesInPart({}));
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
    await using served = await loopback(blobRoutesInPart({ statBlob }));
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
    await using served = await loopback(blobRoutesInPart({ statBlob }));
    const outcome = new RemoteBlobStore(served.channel).stat(key).catch((error: unknown) => error);
    await begun.promise;
    await served.server.drain(10);
    expect(await outcome).toMatchObject({ reason: "UNAVAILABLE", resource: served.server.address });
    await aborted.promise;
  });
});
