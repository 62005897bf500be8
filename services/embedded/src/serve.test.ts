import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { connect } from "@graviton/rpc/channel";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type EmbeddedConfig, type EmbeddedServer, serveEmbedded } from "./serve.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-embedded-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("the embedded process", () => {
  test("says that it works, where the data is, and what to type next", async () => {
    const lines: string[] = [];
    await using server = await serve({}, lines);
    const said = lines.join("\n");
    expect(said).toContain(`works. The data is in the folder ${folder}`);
    expect(said).toContain(`npx graviton put README.md --endpoint http://127.0.0.1:${server.grpcPort}`);
    expect(said).toContain(`http://127.0.0.1:${server.httpPort}`);
  });

  test("that listens on all addresses shows one that can be typed", async () => {
    const lines: string[] = [];
    await using server = await serve({ host: "0.0.0.0" }, lines);
    const said = lines.join("\n");
    expect(said).not.toContain("0.0.0.0");
    expect(said).toContain(`npx graviton put README.md --endpoint http://localhost:${server.grpcPort}`);
    expect(said).toContain(`curl http://localhost:${server.httpPort}/`);
  });

  test("keeps what it stored across a restart", async () => {
    const content = Buffer.from("kept across a restart");
    const { key } = await (async () => {
      await using server = await serve();
      await using blobs = blobsOf(server);
      await using pairs = pairsOf(server);
      await pairs.put("name", Buffer.from("value"));
      return (await blobs.put({}, once(content))).confirmed;
    })();
    await using server = await serve();
    await using blobs = blobsOf(server);
    await using pairs = pairsOf(server);
    expect(Buffer.concat(await Array.fromAsync(blobs.get(key)))).toEqual(content);
    expect(await pairs.get("name")).toEqual(new Uint8Array(Buffer.from("value")));
  });

  test("serves one blob on both of its ports", async () => {
    await using server = await serve();
    await using blobs = blobsOf(server);
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/v1/blobs`, { method: "PUT", body: "both faces" });
    const { key } = (await response.json()) as { key: string };
    const listed = await Array.fromAsync(blobs.list());
    expect(listed.map(({ confirmed }) => `blake3:${confirmed.key.digest}:${confirmed.key.size}`)).toEqual([key]);
  });

  test("refuses a folder that another process has open, and names it", async () => {
    await using _first = await serve();
    await expect(serve()).rejects.toMatchObject({ reason: "UNAVAILABLE", message: expect.stringContaining(folder) });
  });

  test("refuses a data folder that cannot be written to, and says what to do", async () => {
    const file = join(folder, "a-file");
    await writeFile(file, "");
    for (const dataFolder of [join(file, "data"), "/proc/graviton/data"])
      await expect(serve({ dataFolder })).rejects.toMatchObject({
        reason: "UNAVAILABLE",
        message: expect.stringContaining("make it writable, or name another one"),
      });
  });

  test("refuses a port in use, names it, and leaves the folder free", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const expected = { reason: "UNAVAILABLE", message: expect.stringContaining(String(port)) };
    await expect(serve({ grpcPort: port })).rejects.toMatchObject(expected);
    await expect(serve({ httpPort: port })).rejects.toMatchObject(expected);
    other.close();
    await using _server = await serve();
  });

  test("lets calls in flight end when it drains, and takes no new ones", async () => {
    const server = await serve();
    await using blobs = blobsOf(server);
    const rest = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = async function* () {
      // More than the windows hold, so that the server has begun when the next one is asked for.
      for (let sent = 0; sent < 16; sent += 1) yield Buffer.alloc(1024 * 1024, sent);
      begun.resolve();
      await rest.promise;
      yield Buffer.from("the end");
    };
    const put = blobs.put({}, slow());
    await begun.promise;
    const drained = server.drain();
    rest.resolve();
    const { confirmed } = await put;
    await drained;
    await using again = await serve();
    await using reread = blobsOf(again);
    const content = Buffer.concat(await Array.fromAsync(reread.get(confirmed.key)));
    expect(content.subarray(-7).toString()).toBe("the end");
  });

  test("refuses calls over its limit with EXHAUSTED, and serves again when there is room", async () => {
    await using server = await serve({ callsMax: 1, placeWaitMs: 0 });
    await using blobs = blobsOf(server);
    const rest = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = async function* () {
      yield Buffer.alloc(8 * 1024 * 1024);
      begun.resolve();
      await rest.promise;
    };
    const put = blobs.put({}, slow());
    await begun.promise;
    await expect(blobs.put({}, once(Buffer.from("one too many")))).rejects.toMatchObject({
      reason: "EXHAUSTED",
      retryAfterMs: 1000,
    });
    rest.resolve();
    await put;
    expect((await blobs.put({}, once(Buffer.from("room again")))).created).toBe(true);
  });
});

function serve(config: Partial<EmbeddedConfig> = {}, lines: string[] = []): Promise<EmbeddedServer> {
  const base = { dataFolder: folder, host: "127.0.0.1", grpcPort: 0, httpPort: 0, graceMs: 10_000 };
  return serveEmbedded({ ...base, ...config }, (line) => lines.push(line));
}

function blobsOf(server: EmbeddedServer): RemoteBlobStore {
  return new RemoteBlobStore(connect(`http://127.0.0.1:${server.grpcPort}`));
}

function pairsOf(server: EmbeddedServer): RemoteKeyValueStore {
  return new RemoteKeyValueStore(connect(`http://127.0.0.1:${server.grpcPort}`));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
