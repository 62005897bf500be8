import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { partBytesDefault, partsAtOnce } from "./limits.ts";
import { keyOf } from "./object-keys.ts";
import type { S3ObjectStore } from "./object-store.ts";
import { partBytesOf, partsBytesMax, partsOf } from "./parts.ts";
import { answeringProxy } from "./testing/answering-proxy.ts";
import { cuttingProxy } from "./testing/cutting-proxy.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { openObjects, ownPrefix, uploadsOf } from "./testing/s3-subject.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const mebibyte = 1024 ** 2;
const sizes = { partBytes: 5 * mebibyte, copyBytesMax: 6 * mebibyte, copyPartBytes: 5 * mebibyte };
const locator: Locator = { scheme: "s3", bucket: "b", path: "large" };
const large = randomBytes(13 * mebibyte);

describeS3("Objects in parts", (s3) => {
  test("A stream longer than a part is put as several, and read as one.", async () => {
    await using store = openObjects(ownPrefix(s3()), sizes);
    const info = await store.put(locator, framesOf(large, 300_000));
    expect(info).toMatchObject({ size: large.length, etag: expect.stringMatching(/-3$/) });
    expect(await store.head(locator)).toEqual(info);
    expect(large.equals(await readAll(store))).toBe(true);
  });

  test("A stream of exactly a part is put as one.", async () => {
    await using store = openObjects(ownPrefix(s3()), sizes);
    const info = await store.put(locator, framesOf(large.subarray(0, sizes.partBytes), mebibyte));
    expect(info).toMatchObject({ size: sizes.partBytes, etag: expect.not.stringMatching(/-1$/) });
  });

  test("A source that fails, or a caller that gives up, leaves the old object and no part.", async () => {
    const config = ownPrefix(s3());
    await using store = openObjects(config, sizes);
    const broken = new StorageError("CORRUPT", "the source broke");
    // Several, since it takes luck to be late with a part that is on its way.
    const attempts = Array.from({ length: 8 }, async (_, index) => {
      const target = { ...locator, path: `large-${index}` };
      const old = await store.put(target, framesOf(Buffer.from("old"), 3));
      const failing = store.put(target, failingAfter(large, broken));
      await expect(failing).rejects.toBe(broken);
      const abort = new AbortController();
      const aborted = store.put(target, silentAfter(large, abort), { signal: abort.signal });
      await expect(aborted).rejects.toMatchObject({ reason: "CANCELLED" });
      expect(await uploadsOf(config, keyOf(config.prefix, target))).toEqual([]);
      expect(await store.head(target)).toEqual(old);
    });
    await Promise.all(attempts);
  });

  test("A put in parts that may only create is ALREADY_EXISTS when an object came meanwhile, and leaves no part.", async () => {
    const config = ownPrefix(s3());
    await using store = openObjects(config, sizes);
    const meanwhile = async function* () {
      yield large;
      await store.put(locator, framesOf(Buffer.from("first"), 5));
    };
    const late = store.put(locator, meanwhile(), { ifAbsent: true });
    await expect(late).rejects.toMatchObject({ reason: "ALREADY_EXISTS", resource: formatLocator(locator) });
    expect((await readAll(store)).toString()).toBe("first");
    expect(await uploadsOf(config, keyOf(config.prefix, locator))).toEqual([]);
  });

  test("An object over the limit of one request is copied in parts.", async () => {
    await using store = openObjects(ownPrefix(s3()), sizes);
    await store.put(locator, framesOf(large, mebibyte));
    const target = { ...locator, path: "copy" };
    const info = await store.copy(locator, target);
    expect(info).toMatchObject({ locator: target, size: large.length, etag: expect.stringMatching(/-3$/) });
    expect(await store.head(target)).toEqual(info);
    expect(large.equals(await readAll(store, target))).toBe(true);
  });

  test("A put that may only create, and whose answer is lost, is a success all the same.", async () => {
    const config = ownPrefix(s3());
    await using proxy = await cuttingProxy(s3().endpoint);
    await using store = openObjects({ ...config, endpoint: proxy.endpoint }, sizes);
    const losing = async function* () {
      yield large.subarray(0, 1000);
      proxy.cut({ afterBytes: 0, times: 1 });
    };
    const info = await store.put(locator, losing(), { ifAbsent: true });
    expect(proxy.cuts).toBe(1);
    expect(info).toEqual(await store.head(locator));
  });

  test("A reader whose connection breaks over and over gets every byte once, in order.", async () => {
    await using proxy = await cuttingProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint }, sizes);
    await store.put(locator, framesOf(large, mebibyte));
    proxy.cut({ afterBytes: mebibyte + 12_345, times: 10 });
    expect(large.equals(await readAll(store))).toBe(true);
    expect(proxy.cuts).toBe(10);
  });

  test("Readers whose connections break, or who stop early, leave room for others within requestsMax.", async () => {
    const config = ownPrefix(s3());
    await using proxy = await cuttingProxy(s3().endpoint);
    await using through = openObjects({ ...config, endpoint: proxy.endpoint, requestsMax: 4 }, sizes);
    await using past = openObjects(config, sizes);
    await past.put(locator, framesOf(large, mebibyte));
    proxy.cut({ afterBytes: mebibyte, times: 5 });
    const readers = Array.from({ length: 10 }, () => readAll(through));
    const stopping = Array.from({ length: 10 }, () => readFirst(through));
    for (const read of await Promise.all(readers)) expect(large.equals(read)).toBe(true);
    await Promise.all(stopping);
    expect(proxy.cuts).toBe(5);
    expect(proxy.openMost).toBeLessThanOrEqual(4);
  });

  test("Large bodies share the connections of all requests, within requestsMax.", async () => {
    await using proxy = await cuttingProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint, requestsMax: 2 }, sizes);
    for (const bytes of [large.subarray(0, 1000), large.subarray(0, 4 * mebibyte)]) {
      const puts = ["1", "2", "3", "4"].map((path) => store.put({ ...locator, path }, framesOf(bytes, mebibyte)));
      await Promise.all(puts);
    }
    expect(proxy.openMost).toBeLessThanOrEqual(2);
  });

  test("No body waits until S3 asks for it.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint }, sizes);
    const expectations: unknown[] = [];
    proxy.answer = async (request) => {
      if (request.method === "PUT") expectations.push(request.headers.expect);
      return request.forward();
    };
    await store.put(locator, framesOf(large.subarray(0, 4 * mebibyte), mebibyte));
    expect(expectations).toEqual([undefined]);
  });

  test("A read that breaks off after the object was replaced is CONFLICT, and gave nothing of the new one.", async () => {
    const config = ownPrefix(s3());
    await using proxy = await cuttingProxy(s3().endpoint);
    await using through = openObjects({ ...config, endpoint: proxy.endpoint }, sizes);
    await using past = openObjects(config, sizes);
    await past.put(locator, framesOf(large, mebibyte));
    const meanwhile = () => past.put(locator, framesOf(randomBytes(large.length), mebibyte));
    proxy.cut({ afterBytes: 8 * mebibyte, times: 1, meanwhile });
    const read: Uint8Array[] = [];
    const reading = async () => {
      for await (const frame of through.get(locator)) read.push(frame);
    };
    await expect(reading()).rejects.toMatchObject({ reason: "CONFLICT", resource: formatLocator(locator) });
    const bytes = Buffer.concat(read);
    expect(bytes.length).toBeGreaterThan(7 * mebibyte);
    expect(bytes.equals(large.subarray(0, bytes.length))).toBe(true);
  });
});

test("Parts grow, so that the parts of one upload hold 500 GB.", () => {
  expect([0, 999, 1000, 2000, 3000, 9999].map((index) => partBytesOf(index, 8))).toEqual([8, 8, 16, 32, 64, 64]);
  expect(partsBytesMax(partBytesDefault)).toBe(504_000 * mebibyte);
});

test("The parts of one object that are in memory at once take less than 40 MiB up to 24 GB, and 130 MiB beyond.", () => {
  const inMemory = (index: number) => (partsAtOnce * partBytesOf(index, partBytesDefault)) / mebibyte;
  expect([1999, 9999].map(inMemory)).toEqual([32, 128]);
});

test("A part is in memory once when it is given, and a small one takes little more room than it has bytes.", async () => {
  const parts = partsOf(framesOf(Buffer.alloc(10 * mebibyte), 64 * 1024), 8 * mebibyte);
  const before = arrayBufferBytes();
  const { value: part } = await parts.next();
  expect(arrayBufferBytes() - before).toBeLessThan(9 * mebibyte);
  expect(part).toHaveLength(8 * mebibyte);
  await parts.return();
  const [small] = await Array.fromAsync(partsOf(framesOf(Buffer.alloc(1000), 100), 8 * mebibyte));
  expect(small?.buffer.byteLength).toBeLessThan(mebibyte);
});

test("However a stream is framed its parts are the same.", async () => {
  const bytes = randomBytes(1000);
  for (const frameBytes of [1, 7, 300, 1000]) {
    const parts = await Array.fromAsync(partsOf(framesOf(bytes, frameBytes), 300));
    expect(parts.map((part) => part.length)).toEqual([300, 300, 300, 100]);
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  }
});

async function readAll(store: S3ObjectStore, from = locator): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(store.get(from)));
}

async function readFirst(store: S3ObjectStore): Promise<void> {
  for await (const _ of store.get(locator)) return;
}

async function* framesOf(bytes: Buffer, frameBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += frameBytes) yield bytes.subarray(at, at + frameBytes);
}

async function* failingAfter(bytes: Buffer, error: Error): AsyncGenerator<Uint8Array> {
  yield bytes;
  throw error;
}

async function* silentAfter(bytes: Buffer, abort: AbortController): AsyncGenerator<Uint8Array> {
  yield bytes;
  abort.abort();
  await new Promise(() => {});
}

/** Of all that is still in use. */
function arrayBufferBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
