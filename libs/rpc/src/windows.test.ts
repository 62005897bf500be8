import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { setImmediate } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { expect, test } from "@jest/globals";
import { blobRoutesInPart, info } from "./blob-routes-in-part.ts";
import { connect } from "./channel.ts";
import { loopback } from "./loopback.ts";
import { connectionWindowBytes, streamWindowBytes } from "./windows.ts";

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

test("The windows of every connection are opened", async () => {
  await using served = await loopback(blobRoutesInPart({ statBlob: async () => info }));
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

test("The windows of a server that is not ours stay as they are", async () => {
  await using served = await loopback(blobRoutesInPart({ statBlob: async () => info }));
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
