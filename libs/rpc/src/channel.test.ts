import { createServer } from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import { parseLocator } from "@graviton/ports/locator";
import { describe, expect, test } from "@jest/globals";
import { connect } from "./channel.ts";
import { RemoteKeyValueStore } from "./kv/remote.ts";
import { kvRoutes } from "./kv/routes.ts";
import { loopback } from "./loopback.ts";
import { RemoteObjectStore } from "./object/remote.ts";
import { serveGrpc } from "./server.ts";
import { silentServer } from "./testing/silent-server.ts";

describe("An address", () => {
  test.each([
    ["localhost:7480", "localhost:7480"],
    ["http://localhost:7480", "localhost:7480"],
    ["http://localhost:7480/", "localhost:7480"],
    ["10.0.0.1:80", "10.0.0.1:80"],
    ["http://example.org:80", "example.org:80"],
    ["[::1]:7480", "[::1]:7480"],
    ["dns:7480", "dns:7480"],
  ])("%s is %s", async (address, expected) => {
    await using channel = connect(address);
    expect(channel.address).toBe(expected);
  });

  test.each([
    "",
    "localhost",
    "http://localhost",
    "localhost:0",
    "localhost:65536",
    "localhost:port",
    "localhost:7480/path",
    "http://localhost:7480/?query",
    "http://user@localhost:7480",
    "https://localhost:7480",
    "unix:///run/graviton.sock",
    ":7480",
    "a b:7480",
  ])("%j is INVALID_ARGUMENT and the message says what is expected", (address) => {
    const refusal = expect.objectContaining({
      reason: "INVALID_ARGUMENT",
      message: `malformed address ${JSON.stringify(address)}: expected host:port or http://host:port`,
    });
    expect(() => connect(address)).toThrow(refusal);
  });
});

describe("A channel", () => {
  const routes = () => kvRoutes(new InMemoryKeyValueStore(new Map()));

  test("to a server that is not there fails with UNAVAILABLE, the address and what to do", async () => {
    const { port } = await freePort();
    await using channel = connect(`127.0.0.1:${port}`);
    await expect(new RemoteKeyValueStore(channel).get("a")).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      resource: `127.0.0.1:${port}`,
      message: `no answer from 127.0.0.1:${port}: check that the service runs there and can be reached`,
    });
  });

  test("to a server that is not there takes nothing of what is to be sent, so that the call can be made again", async () => {
    const { port } = await freePort();
    await using channel = connect(`127.0.0.1:${port}`);
    let taken = 0;
    const objects = new RemoteObjectStore(channel);
    async function* once() {
      taken += 1;
      yield Uint8Array.of(1);
    }
    for (let call = 0; call < 2; call += 1) {
      await expect(objects.put(parseLocator("mem://bucket/a"), once())).rejects.toMatchObject({
        reason: "UNAVAILABLE",
        resource: `127.0.0.1:${port}`,
        message: `no answer from 127.0.0.1:${port}: check that the service runs there and can be reached`,
      });
    }
    expect(taken).toBe(0);
  });

  test("to a server that accepts connections and says nothing fails with UNAVAILABLE, or by its deadline", async () => {
    await using silent = await silentServer();
    await using channel = connect(silent.address, { connectMsMax: 200 });
    const store = new RemoteKeyValueStore(channel);
    await expect(store.get("a")).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: silent.address });
    await expect(Array.fromAsync(store.scan({}))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    const deadline = Date.now() + 50;
    await expect(store.get("a", { deadline })).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    const stop = new AbortController();
    const call = store.get("a", { signal: stop.signal });
    stop.abort();
    await expect(call).rejects.toMatchObject({ reason: "CANCELLED" });
  });

  test("that is closed while it waits for its connection ends its calls with UNAVAILABLE", async () => {
    await using silent = await silentServer();
    const channel = connect(silent.address);
    const call = new RemoteKeyValueStore(channel).get("a");
    await silent.connected;
    await channel[Symbol.asyncDispose]();
    await expect(call).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("finds its server again after a restart", async () => {
    const first = await loopback(routes());
    await using channel = connect(first.server.address);
    const store = new RemoteKeyValueStore(channel);
    await store.put("a", Uint8Array.of(1));
    await first[Symbol.asyncDispose]();
    await expect(store.get("a")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await using _second = await serveGrpc({ routes: [routes()], host: "127.0.0.1", port: first.server.port });
    for (;;) {
      const outcome = await store.get("a").catch((error: unknown) => error);
      if (outcome === undefined) break;
      expect(outcome).toMatchObject({ reason: "UNAVAILABLE" });
    }
  });

  test("to something that is no gRPC server fails with a StorageError", async () => {
    const web = createServer((_, response) => void response.writeHead(404).end("not here"));
    await new Promise<void>((resolve) => void web.listen(0, "127.0.0.1", resolve));
    const { port } = web.address() as { port: number };
    {
      await using channel = connect(`127.0.0.1:${port}`);
      await expect(new RemoteKeyValueStore(channel).get("a")).rejects.toMatchObject({ name: "StorageError" });
    }
    web.close();
  });

  test("that is closed refuses calls with UNAVAILABLE", async () => {
    await using served = await loopback(routes());
    const channel = connect(served.server.address);
    const store = new RemoteKeyValueStore(channel);
    await channel[Symbol.asyncDispose]();
    await expect(store.get("a")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await expect(Array.fromAsync(store.scan({}))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });
});

async function freePort(): Promise<{ port: number }> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return { port };
}
