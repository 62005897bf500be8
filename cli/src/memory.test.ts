import { randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { connect } from "@graviton/rpc/channel";
import { peakResidentBytes, settledPeaks } from "@graviton/service/testing/peak-memory";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ServerProcess } from "./testing/server-process.ts";

const mebibyte = 1024 * 1024;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graviton-memory-"));
});

afterEach(() => rm(folder, { recursive: true }));

// The system has to tell how much memory another process had; only Linux does so in a file.
const onLinux = platform() === "linux" ? describe : describe.skip;

onLinux("the server's memory", () => {
  test("stays under 400 MiB while 1 GiB goes in and comes out", async () => {
    await using server = await ServerProcess.start(folder);
    await using blobs = new RemoteBlobStore(connect(server.endpoint));
    const { confirmed } = await blobs.put({}, random(1024));
    let size = 0;
    for await (const bytes of blobs.get(confirmed.key)) size += bytes.length;
    expect(size).toBe(1024 * mebibyte);
    expect(await peakResidentBytes(server)).toBeLessThan(400 * mebibyte);
  }, 120_000);

  test("stays under 1 GiB while a hundred clients each send 16 MiB and then say nothing, and a hundred more do not read", async () => {
    await using server = await ServerProcess.start(folder);
    await using blobs = new RemoteBlobStore(connect(server.endpoint));
    const { confirmed } = await blobs.put({}, random(64));
    const gaveUp = new AbortController();
    const writers = Array.from({ length: 100 }, async () => {
      await using own = new RemoteBlobStore(connect(server.endpoint));
      await own.put({}, silentAfter(16, gaveUp.signal), { signal: gaveUp.signal });
    });
    const readers = Array.from({ length: 100 }, async () => {
      await using own = new RemoteBlobStore(connect(server.endpoint));
      const stream = own.get(confirmed.key, undefined, { signal: gaveUp.signal })[Symbol.asyncIterator]();
      await stream.next();
      await aborted(gaveUp.signal);
      await stream.return?.();
    });
    const all = Promise.allSettled([...writers, ...readers]);
    const [peak] = await settledPeaks([server]);
    expect(peak).toBeLessThan(1024 * mebibyte);
    gaveUp.abort();
    await all;
    const { created } = await blobs.put({}, random(1));
    expect(created).toBe(true);
  }, 120_000);
});

async function* random(mebibytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < mebibytes; sent += 1) yield randomFillSync(Buffer.allocUnsafe(mebibyte));
}

async function* silentAfter(mebibytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* random(mebibytes);
  await aborted(signal);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
