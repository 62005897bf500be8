import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatKey, type Key } from "@graviton/ports/key";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { connect } from "@graviton/rpc/channel";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ServerProcess } from "./testing/server-process.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-crash-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("a server that is killed", () => {
  test("while many clients write keeps all that it acknowledged, lists nothing that cannot be read, and needs no repair", async () => {
    const acknowledged = new Acknowledged();
    for (let round = 0; round < 4; round += 1) {
      await using server = await ServerProcess.start(folder);
      await acknowledged.expectIn(server);
      const load = writeUntilItFails(server, acknowledged);
      await acknowledged.reach(acknowledged.count + 20 + round * 17);
      await server.end("SIGKILL");
      await load;
    }
    await using server = await ServerProcess.start(folder);
    await acknowledged.expectIn(server);
  }, 120_000);

  test("by SIGTERM under load lets calls in flight end, exits 0, and keeps all that it acknowledged", async () => {
    const acknowledged = new Acknowledged();
    {
      await using server = await ServerProcess.start(folder);
      const load = writeUntilItFails(server, acknowledged);
      await acknowledged.reach(40);
      expect(await server.end("SIGTERM")).toBe(0);
      await load;
    }
    await using server = await ServerProcess.start(folder);
    await acknowledged.expectIn(server);
  }, 60_000);
});

/** What the server said it has. */
class Acknowledged {
  readonly #blobs = new Map<string, Key>();
  readonly #pairs = new Map<string, Buffer>();
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  get count(): number {
    return this.#blobs.size + this.#pairs.size;
  }

  blob(key: Key): void {
    this.#blobs.set(formatKey(key), key);
    this.#notify();
  }

  pair(name: string, value: Buffer): void {
    this.#pairs.set(name, value);
    this.#notify();
  }

  /** Resolves once so many things are acknowledged. */
  reach(count: number): Promise<void> {
    const reached = Promise.withResolvers<void>();
    this.#waiting = { count, resolve: reached.resolve };
    this.#notify();
    return reached.promise;
  }

  async expectIn(server: ServerProcess): Promise<void> {
    await using blobs = new RemoteBlobStore(connect(server.endpoint));
    await using pairs = new RemoteKeyValueStore(connect(server.endpoint));
    const listed = await Array.fromAsync(blobs.list());
    const names = listed.map(({ confirmed }) => formatKey(confirmed.key));
    expect(names).toEqual(expect.arrayContaining([...this.#blobs.keys()]));
    for (const { confirmed } of listed) {
      let size = 0;
      for await (const bytes of blobs.get(confirmed.key)) size += bytes.length;
      expect(size).toBe(confirmed.key.size);
    }
    for (const [name, value] of this.#pairs) {
      expect(Buffer.from((await pairs.get(name)) ?? "absent")).toEqual(value);
    }
  }

  #notify(): void {
    if (this.#waiting !== undefined && this.count >= this.#waiting.count) this.#waiting.resolve();
  }
}

/** Four writers of blobs and four of pairs, each until its call fails because the server is gone. */
async function writeUntilItFails(server: ServerProcess, acknowledged: Acknowledged): Promise<void> {
  await using blobs = new RemoteBlobStore(connect(server.endpoint));
  await using pairs = new RemoteKeyValueStore(connect(server.endpoint));
  const writeBlobs = async () => {
    for (;;) {
      const plan = { chunker: { kind: "fastcdc", averageBytes: 8192 } } as const;
      const { confirmed } = await blobs.put(plan, once(randomBytes(100_000)));
      acknowledged.blob(confirmed.key);
    }
  };
  const writePairs = async () => {
    for (;;) {
      const [name, value] = [randomBytes(8).toString("hex"), randomBytes(100)];
      await pairs.put(name, value);
      acknowledged.pair(name, value);
    }
  };
  const writers = [1, 2, 3, 4].flatMap(() => [writeBlobs(), writePairs()]);
  const ends = await Promise.allSettled(writers);
  for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { name: "StorageError" } });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
