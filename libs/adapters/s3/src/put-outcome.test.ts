import { randomBytes } from "node:crypto";
import { AbortMultipartUploadCommand } from "@aws-sdk/client-s3";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import type { ObjectPutOptions } from "@graviton/ports/object-store";
import { expect, test } from "@jest/globals";
import { keyOf } from "./object-keys.ts";
import type { S3ObjectStore } from "./object-store.ts";
import { answeringProxy, isCompletion, isConditional, isPart, type ProxiedRequest } from "./testing/answering-proxy.ts";
import { conditionProxy } from "./testing/condition-proxy.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { type OwnConfig, openObjects, ownPrefix, uploadsOf, withClient } from "./testing/s3-subject.ts";

const mebibyte = 1024 ** 2;
const locator: Locator = { scheme: "s3", bucket: "b", path: "large" };
const resource = formatLocator(locator);
const large = randomBytes(6 * mebibyte);
const small = Buffer.from("small");

/** What an engine answers to the end of an upload that it is still at. */
const atIt = {
  status: 200,
  body: '<CompleteMultipartUploadResult><ETag>"it-2"</ETag></CompleteMultipartUploadResult>',
};

describeS3("Puts whose outcome is in doubt", (s3) => {
  test("A put in parts that S3 is at, and never ends, is UNAVAILABLE and names the object.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint }, { outcomeMsMax: 0 });
    const completions: ProxiedRequest[] = [];
    proxy.answer = async (request) => {
      if (!isCompletion(request)) return request.forward();
      return completions.push(request) === 1 ? "broken" : atIt;
    };
    await expect(put(store, large)).rejects.toMatchObject({ reason: "UNAVAILABLE", resource });
    expect(completions).toHaveLength(2);
  });

  test("A put in parts that S3 is at is a success once the object is there.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    const completions: ProxiedRequest[] = [];
    let looks = 0;
    proxy.answer = async (request) => {
      if (isCompletion(request)) return completions.push(request) === 1 ? "broken" : atIt;
      if (request.method === "HEAD" && completions.length > 1) looks += 1;
      if (looks === 2) await completions[0]?.forward();
      return request.forward();
    };
    const info = await put(store, large);
    expect(looks).toBe(2);
    expect(info).toEqual(await store.head(locator));
  });

  test("A put in parts that S3 has ended, and all of whose answers are lost, is a success.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    proxy.answer = async (request) => {
      const answer = await request.forward();
      return isCompletion(request) ? "broken" : answer;
    };
    const info = await put(store, large);
    expect(info).toEqual(await store.head(locator));
  });

  test.each([
    ["a part", isPart],
    ["its end", isCompletion],
  ])("A put in parts whose upload is removed before %s is CONFLICT, and what was there stays.", async (_, isIt) => {
    const config = ownPrefix(s3());
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...config, endpoint: proxy.endpoint });
    const old = await put(store, small);
    proxy.answer = async (request) => {
      if (isIt(request)) await removeUpload(config, request);
      return request.forward();
    };
    await expect(put(store, large)).rejects.toMatchObject({ reason: "CONFLICT" });
    expect(await store.head(locator)).toEqual(old);
  });

  test("A put that may only create is ALREADY_EXISTS also where S3 breaks the connection instead of refusing it.", async () => {
    const config = ownPrefix(s3());
    await using proxy = await answeringProxy(s3().endpoint);
    await using past = openObjects(config);
    await using store = openObjects({ ...config, endpoint: proxy.endpoint });
    proxy.answer = async (request) => {
      if (!isConditional(request)) return request.forward();
      await put(past, small);
      return "broken";
    };
    const creating = put(store, Buffer.from("late"), { ifAbsent: true });
    await expect(creating).rejects.toMatchObject({ reason: "ALREADY_EXISTS", resource });
  });

  test("A put that may only create, to an S3 that breaks every connection, is UNAVAILABLE.", async () => {
    await using proxy = await conditionProxy(s3().endpoint, "broken");
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    await expect(put(store, small, { ifAbsent: true })).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("The upload of a put in parts is not removed where the answer to its end was lost, whatever S3 said since.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint }, { outcomeMsMax: 0 });
    const completions: ProxiedRequest[] = [];
    let removals = 0;
    proxy.answer = async (request) => {
      if (request.method === "DELETE") removals += 1;
      if (!isCompletion(request)) return request.forward();
      return completions.push(request) === 1 ? "broken" : { status: 503 };
    };
    await expect(put(store, large)).rejects.toMatchObject({ reason: "EXHAUSTED" });
    expect(completions).toHaveLength(3);
    expect(removals).toBe(0);
  });

  test("The upload of a put in parts whose only end S3 refuses is removed.", async () => {
    const config = ownPrefix(s3());
    await using proxy = await answeringProxy(s3().endpoint);
    await using store = openObjects({ ...config, endpoint: proxy.endpoint });
    proxy.answer = async (request) => (isCompletion(request) ? { status: 400 } : request.forward());
    await expect(put(store, large)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect(await uploadsOf(config, keyOf(config.prefix, locator))).toEqual([]);
  });

  test.each([400, 403, 405, 501])(
    "A put that may only create is UNSUPPORTED, and stores nothing, where S3 answers its condition with %i.",
    async (status) => {
      const config = ownPrefix(s3());
      await using proxy = await conditionProxy(s3().endpoint, status);
      await using store = openObjects({ ...config, endpoint: proxy.endpoint });
      for (const bytes of [small, large]) {
        const creating = put(store, bytes, { ifAbsent: true });
        await expect(creating).rejects.toMatchObject({ reason: "UNSUPPORTED", resource });
        await expect(store.head(locator)).rejects.toMatchObject({ reason: "NOT_FOUND" });
      }
      expect(await uploadsOf(config, keyOf(config.prefix, locator))).toEqual([]);
      await put(store, small);
      await expect(put(store, small, { ifAbsent: true })).rejects.toMatchObject({ reason: "ALREADY_EXISTS" });
    },
  );
});

function put(store: S3ObjectStore, bytes: Buffer, options?: ObjectPutOptions) {
  return store.put(locator, once(bytes), options);
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Removes the upload that a request is about, past the proxy, unless it is gone. */
function removeUpload(config: OwnConfig, { url }: ProxiedRequest) {
  return withClient(config, async (client) => {
    const UploadId = url.searchParams.get("uploadId") ?? "";
    const target = { Bucket: config.bucket, Key: keyOf(config.prefix, locator), UploadId };
    await client.send(new AbortMultipartUploadCommand(target)).catch(() => {});
  });
}
