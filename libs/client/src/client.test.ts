import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { BlobStore } from "@graviton/ports/blob-store";
import { formatKey } from "@graviton/ports/key";
import { parseLocator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { GravitonClient } from "./client.ts";
import type { Progress } from "./progress.ts";
import { EmbeddedGraviton } from "./testing/embedded-graviton.ts";
import { faultyGateway } from "./testing/faulty-gateway.ts";
import type { Content } from "./uploads.ts";

const mebibyte = 1024 * 1024;

// A client that lost its server waits up to seconds before it connects again, longer on a busy machine.
jest.setTimeout(60_000);

let graviton: EmbeddedGraviton;
let client: GravitonClient;

beforeAll(async () => {
  graviton = await EmbeddedGraviton.start();
  client = new GravitonClient({ endpoint: graviton.endpoint });
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await graviton[Symbol.asyncDispose]();
});

describe("A client", () => {
  test("stores bytes, streams and files under the key of their content", async () => {
    const content = randomBytes(3 * mebibyte + 1);
    await writeFile(graviton.at("content.bin"), content);
    const first = await client.put(content);
    const again = [
      await client.put(pieces(content)),
      await client.put(Readable.from([content])),
      await client.putFile(graviton.at("content.bin")),
    ];
    expect(first).toMatchObject({ created: true, confirmed: { key: { algorithm: "blake3", size: content.length } } });
    expect(again.map(({ created, confirmed }) => ({ created, key: confirmed.key }))).toEqual(
      Array(3).fill({ created: false, key: first.confirmed.key }),
    );
  });

  test("gives a file's blob the file's name, and passes on how to store it", async () => {
    await writeFile(graviton.at("named.txt"), "a file with a name");
    const put = await client.putFile(graviton.at("named.txt"), {
      algorithm: "sha256",
      chunker: { kind: "fixed", blockBytes: 9 },
      attributes: { contentType: "text/plain" },
    });
    expect(put).toMatchObject({
      advertised: { name: "named.txt", contentType: "text/plain" },
      confirmed: { key: { algorithm: "sha256", size: 18 }, blockCount: 2 },
    });
  });

  test("fetches a blob as a stream, in part, and into a file", async () => {
    const content = randomBytes(3 * mebibyte + 1);
    const { key } = (await client.put(content)).confirmed;
    expect(content.equals(await bytesOf(client.get(key)))).toBe(true);
    expect(await bytesOf(client.get(formatKey(key), { range: { offset: mebibyte, length: 10 } }))).toEqual(
      content.subarray(mebibyte, mebibyte + 10),
    );
    await client.getFile(key, graviton.at("fetched"));
    expect(content.equals(await readFile(graviton.at("fetched")))).toBe(true);
  });

  test("tells what is stored, what is not, and forgets", async () => {
    const { key } = (await client.put(randomBytes(10))).confirmed;
    const absent = { ...key, size: 11 };
    expect((await client.stat(formatKey(key))).confirmed.key).toEqual(key);
    expect(await client.findMissing([key, formatKey(absent)])).toEqual([absent]);
    expect((await Array.fromAsync(client.list())).map(({ confirmed }) => confirmed.key)).toContainEqual(key);
    await client.delete(key);
    await expect(client.stat(key)).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(bytesOf(client.get(key))).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  test("reaches objects and key-value pairs", async () => {
    const locator = parseLocator("fs://notes/one.txt");
    await client.objects.put(locator, pieces(Buffer.from("an object")));
    expect((await bytesOf(client.objects.get(locator))).toString()).toBe("an object");
    await client.keyValues.put("greeting", Buffer.from("hello"));
    expect(Buffer.from((await client.keyValues.get("greeting")) ?? []).toString()).toBe("hello");
  });

  test("tells how far a transfer is, piece by piece to its end", async () => {
    const content = randomBytes(3 * mebibyte + 1);
    await writeFile(graviton.at("long"), content);
    const seen: Progress[] = [];
    const onProgress = (progress: Progress) => void seen.push(progress);
    const grownTo = () => {
      const all = seen.splice(0);
      expect(all.map(({ bytes }) => bytes)).toEqual(all.map(({ bytes }) => bytes).sort((a, b) => a - b));
      expect(all.length).toBeGreaterThan(1);
      return all.at(-1);
    };
    const { key } = (await client.putFile(graviton.at("long"), { onProgress })).confirmed;
    expect(grownTo()).toEqual({ bytes: content.length, totalBytes: content.length });
    await client.put(pieces(content), { onProgress });
    expect(grownTo()).toEqual({ bytes: content.length, totalBytes: undefined });
    await bytesOf(client.get(key, { range: { offset: 1, length: 2 * mebibyte }, onProgress }));
    expect(grownTo()).toEqual({ bytes: 2 * mebibyte, totalBytes: 2 * mebibyte });
  });

  test.each<[string, () => Promise<unknown>, object]>([
    ["a file that is not there", () => client.putFile(graviton.at("none")), { reason: "NOT_FOUND" }],
    ["a folder", () => client.putFile(graviton.at(".")), { reason: "INVALID_ARGUMENT" }],
    ["text", () => client.put("text" as unknown as Content), { reason: "INVALID_ARGUMENT" }],
    ["a stream of text", () => client.put(Readable.from(["text"])), { reason: "INVALID_ARGUMENT" }],
    ["a key that is none", () => bytesOf(client.get("blake3:1:1")), { reason: "INVALID_ARGUMENT" }],
  ])("refuses %s in words that say what is wrong", async (_, call, error) => {
    await expect(call()).rejects.toMatchObject({ name: "StorageError", ...error });
  });

  test("refuses calls after it was disposed", async () => {
    const closed = new GravitonClient({ endpoint: graviton.endpoint });
    await closed[Symbol.asyncDispose]();
    await expect(closed.put(Buffer.from("late"))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await expect(closed.keyValues.get("late")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });
});

describe("A server that goes away and comes back", () => {
  afterEach(async () => {
    await graviton.comeBack();
    // All channels of a process share what they know of an address: the next test finds it connected.
    await client.findMissing([]);
  });

  /** A client that calls the server back, and then tries for as long as it takes to be connected again. */
  function patient(onPause = () => {}): GravitonClient {
    const pause = async () => {
      onPause();
      await graviton.comeBack();
      await setTimeout(20);
    };
    return new GravitonClient({ endpoint: graviton.endpoint, retries: { attemptsMax: 1000, pause } });
  }

  test("is not noticed by a get, which goes on where it was", async () => {
    const content = randomBytes(16 * mebibyte);
    const { key } = (await client.put(content)).confirmed;
    let pauses = 0;
    await using waiting = patient(() => {
      pauses += 1;
    });
    const parts: Uint8Array[] = [];
    for await (const part of waiting.get(key)) {
      if (parts.length === 0) await graviton.goAway();
      parts.push(part);
    }
    expect(pauses).toBeGreaterThan(0);
    expect(content.equals(Buffer.concat(parts))).toBe(true);
  });

  test("is not noticed by a put of what can be read again", async () => {
    const content = randomBytes(16 * mebibyte);
    let passes = 0;
    const replayable = {
      replayable: true as const,
      async *[Symbol.asyncIterator]() {
        passes += 1;
        yield* pieces(content);
        if (passes === 1) await graviton.goAway();
      },
    };
    await using waiting = patient();
    const { confirmed } = await waiting.put(replayable);
    expect(passes).toBeGreaterThan(1);
    expect(content.equals(await bytesOf(client.get(confirmed.key)))).toBe(true);
  });

  test("is not noticed by a put of a stream that begins while it is away", async () => {
    await graviton.goAway();
    await using waiting = patient();
    expect((await waiting.put(pieces(Buffer.from("a stream that waits")))).created).toBe(true);
  });

  test("is what a put of a stream fails by, once some of it was taken", async () => {
    await using waiting = patient();
    async function* once() {
      yield Buffer.from("the beginning");
      await graviton.goAway();
      yield Buffer.from("the end");
    }
    await expect(waiting.put(once())).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });
});

test("A gateway that is gone is not noticed by the first put of a stream, where another one works", async () => {
  const pair = [await faultyGateway(graviton.endpoint, () => ({})), await faultyGateway(graviton.endpoint, () => ({}))];
  // Calls go to them in the order of their addresses: what asks before the put meets the one that works.
  const [works, gone] = pair.sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
  await gone?.[Symbol.asyncDispose]();
  await using _works = works;
  await using several = new GravitonClient({ endpoint: pair.map(({ endpoint }) => endpoint) });
  expect((await several.put(pieces(Buffer.from("a stream for whoever works")))).created).toBe(true);
});

describe("A put that the server breaks off", () => {
  const content = randomBytes(2 * mebibyte);

  /** Breaks off the first put after its first piece. */
  function breaking() {
    let puts = 0;
    return faultyGateway(graviton.endpoint, (honest) => ({
      async put(plan, bytes, options) {
        puts += 1;
        if (puts > 1) return honest.put(plan, bytes, options);
        for await (const _ of bytes) break;
        throw new StorageError("EXHAUSTED", "too many calls", { retryAfterMs: 1 });
      },
    }));
  }

  test.each<[string, (flaky: GravitonClient) => ReturnType<GravitonClient["put"]>]>([
    ["bytes", (flaky) => flaky.put(content)],
    [
      "a file",
      async (flaky) => {
        await writeFile(graviton.at("whole"), content);
        return flaky.putFile(graviton.at("whole"));
      },
    ],
  ])("begins again with %s", async (_, put) => {
    await using gateway = await breaking();
    await using flaky = new GravitonClient({ endpoint: gateway.endpoint, retries: { pause: async () => {} } });
    const { confirmed } = await put(flaky);
    expect(content.equals(await bytesOf(client.get(confirmed.key)))).toBe(true);
  });
});

describe("A server that lies", () => {
  const content = Buffer.from("the content that was asked for");
  const other = Buffer.from("the content that somebody made");

  function giving(...parts: Buffer[]): (honest: BlobStore) => Partial<BlobStore> {
    return () => ({ get: () => pieces(...parts) });
  }

  test.each([
    ["other bytes", giving(other)],
    ["too few bytes", giving(content.subarray(1))],
    ["too many bytes", giving(content, other)],
    ["no bytes", giving()],
  ])("with %s is found out, and leaves the file as it was and nothing beside it", async (what, faults) => {
    const { key } = (await client.put(content)).confirmed;
    await using gateway = await faultyGateway(graviton.endpoint, faults);
    await using deceived = new GravitonClient({ endpoint: gateway.endpoint });
    await expect(bytesOf(deceived.get(key))).rejects.toMatchObject({ reason: "CORRUPT", resource: formatKey(key) });
    const target = graviton.at(what);
    await writeFile(target, "what was there");
    const before = await readdir(graviton.at("."));
    await expect(deceived.getFile(key, target)).rejects.toMatchObject({ reason: "CORRUPT" });
    await expect(deceived.getFile(key, graviton.at("new"))).rejects.toMatchObject({ reason: "CORRUPT" });
    expect(await readFile(target, "utf8")).toBe("what was there");
    expect(await readdir(graviton.at("."))).toEqual(before);
  });

  test("with part of a range is found out", async () => {
    const { key } = (await client.put(content)).confirmed;
    await using gateway = await faultyGateway(graviton.endpoint, giving(content.subarray(0, 9)));
    await using deceived = new GravitonClient({ endpoint: gateway.endpoint });
    const range = { offset: 0, length: 10 };
    await expect(bytesOf(deceived.get(key, { range }))).rejects.toMatchObject({ reason: "CORRUPT" });
  });

  test("about what it stored is found out", async () => {
    await using gateway = await faultyGateway(graviton.endpoint, (honest) => ({
      put: (plan, bytes, options) => honest.put(plan, damaged(bytes), options),
    }));
    await using deceived = new GravitonClient({ endpoint: gateway.endpoint });
    await expect(deceived.put(content)).rejects.toMatchObject({ reason: "CORRUPT" });
  });
});

test("A get that breaks off for good leaves no file", async () => {
  const { key } = (await client.put(Buffer.from("half of it comes"))).confirmed;
  await using gateway = await faultyGateway(graviton.endpoint, () => ({
    async *get() {
      yield Buffer.from("half of ");
      throw new StorageError("CORRUPT", "the other half is gone");
    },
  }));
  await using half = new GravitonClient({ endpoint: gateway.endpoint });
  const before = await readdir(graviton.at("."));
  await expect(half.getFile(key, graviton.at("half"))).rejects.toThrow("the other half is gone");
  expect(await readdir(graviton.at("."))).toEqual(before);
});

async function* pieces(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    for (let from = 0; from < part.length; from += mebibyte) yield part.subarray(from, from + mebibyte);
  }
}

async function* damaged(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of bytes) yield part.map((byte) => byte ^ 1);
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}
