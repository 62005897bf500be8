import { connect as connectSocket, createServer, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import { BlobService, type PutBlobRequest } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { describe, expect, test } from "@jest/globals";
import { blobRoutesInPart, endlessFrames, frame, receipt } from "./blob-routes-in-part.ts";
import { connect } from "./channel.ts";
import { fromWire } from "./errors.ts";
import { loopback } from "./loopback.ts";

describe("A broken upload ends for its handler without the message that would make it whole", () => {
  /** Counts how uploads end for the handler that reads them. */
  function counting() {
    const ends: string[] = [];
    const progress = { messages: 0 };
    const putBlob = async (requests: AsyncIterable<PutBlobRequest>) => {
      let outcome = "broken";
      try {
        for await (const { part } of requests) {
          progress.messages += 1;
          if (part.case === "end") outcome = "whole";
        }
      } catch {
        outcome = "broken";
      }
      ends.push(outcome);
      return receipt;
    };
    return { ends, progress, routes: blobRoutesInPart({ putBlob }) };
  }

  async function allEnded(ends: string[], count: number): Promise<void> {
    const until = Date.now() + 4000;
    while (ends.length < count && Date.now() < until) await setImmediate();
    expect(ends).toHaveLength(count);
  }

  test("as a whole one ends with it", async () => {
    const { ends, routes } = counting();
    await using served = await loopback(routes);
    async function* source() {
      yield { part: { case: "plan" as const, value: {} } };
      yield { part: { case: "end" as const, value: {} } };
    }
    await createClient(BlobService, served.channel.transport).putBlob(source());
    expect(ends).toEqual(["whole"]);
  });

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
    // The reset of an upload that had hardly begun may reach the server before the call does.
    expect(ends).not.toContain("whole");
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
    const answer = createClient(BlobService, channel.transport).putBlob(endlessFrames());
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
