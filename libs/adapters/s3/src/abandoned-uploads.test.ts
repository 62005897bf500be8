import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import type { Locator } from "@graviton/ports/locator";
import { expect, test } from "@jest/globals";
import { AbandonedUploads } from "./abandoned-uploads.ts";
import { S3Bucket } from "./bucket.ts";
import { abandonedMsMin } from "./limits.ts";
import { keyOf } from "./object-keys.ts";
import { answeringProxy, type ProxiedRequest } from "./testing/answering-proxy.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { type OwnConfig, openObjects, ownPrefix, uploadsOf, withClient } from "./testing/s3-subject.ts";

const mebibyte = 1024 ** 2;
const locator: Locator = { scheme: "s3", bucket: "b", path: "large" };
const minute = 60_000;

describeS3(
  "Abandoned uploads",
  (s3, kind) => {
    const testWhereListed = kind === "minio" ? test.skip : test;
    testWhereListed("What began a day ago is removed; what began since, or is no object's, is not.", async () => {
      const config = ownPrefix(s3());
      const [own, foreign] = [keyOf(config.prefix, locator), `${config.prefix}elsewhere`];
      for (const key of [own, foreign]) await begin(config, key);
      await using bucket = S3Bucket.open(config);
      await new AbandonedUploads(bucket, () => Date.now() + abandonedMsMin - minute).remove();
      expect(await uploadsOf(config, config.prefix)).toEqual([foreign, own]);
      await new AbandonedUploads(bucket, () => Date.now() + abandonedMsMin + minute).remove();
      expect(await uploadsOf(config, config.prefix)).toEqual([foreign]);
    });

    test("They are looked for once a day.", async () => {
      await using proxy = await answeringProxy(s3().endpoint);
      await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
      let now = Date.now();
      await using uploads = new AbandonedUploads(bucket, () => now);
      let asked = 0;
      proxy.answer = async () => {
        asked += 1;
        return { status: 403 };
      };
      for (const [laterMs, times] of [
        [0, 1],
        [abandonedMsMin - 1, 1],
        [1, 2],
        [1, 2],
      ] as const) {
        now += laterMs;
        await uploads.removeDaily();
        expect(asked).toBe(times);
      }
    });

    test("The first put in parts has them removed, and not its own.", async () => {
      const config = ownPrefix(s3());
      await using proxy = await answeringProxy(s3().endpoint);
      await using store = openObjects({ ...config, endpoint: proxy.endpoint });
      const old = { key: keyOf(config.prefix, { ...locator, path: "old" }), id: "" };
      old.id = await begin(config, old.key);
      const removed = Promise.withResolvers<void>();
      proxy.answer = async (request) => {
        if (isListing(request)) return { status: 200, body: pageOf(old) };
        const answer = await request.forward();
        if (request.method === "DELETE") removed.resolve();
        return answer;
      };
      await store.put(locator, bytes(6 * mebibyte));
      await removed.promise;
      expect(await uploadsOf(config, config.prefix)).toEqual([]);
      expect((await store.head(locator)).size).toBe(6 * mebibyte);
    });

    test.each(["refuses to list them", "does not answer"])(
      "A put is put, and a store closed, where S3 %s.",
      async (what) => {
        await using proxy = await answeringProxy(s3().endpoint);
        await using store = openObjects({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
        let asked = 0;
        proxy.answer = async (request) => {
          if (!isListing(request)) return request.forward();
          asked += 1;
          return what === "does not answer" ? new Promise(() => {}) : { status: 403 };
        };
        await store.put(locator, bytes(6 * mebibyte));
        await store.put(locator, bytes(6 * mebibyte));
        expect(asked).toBe(1);
      },
    );

    test("All pages of them are looked through.", async () => {
      await using proxy = await answeringProxy(s3().endpoint);
      const config = ownPrefix(s3());
      await using bucket = S3Bucket.open({ ...config, endpoint: proxy.endpoint });
      const key = keyOf(config.prefix, locator);
      const removed: (string | null)[] = [];
      proxy.answer = async ({ method, url: { searchParams } }) => {
        if (method === "DELETE") removed.push(searchParams.get("uploadId"));
        const page = Number(searchParams.get("upload-id-marker") ?? 0) + 1;
        return { status: 200, body: method === "DELETE" ? "" : pageOf({ key, id: String(page) }, page === 3) };
      };
      await new AbandonedUploads(bucket).remove();
      expect(removed).toEqual(["1", "2", "3"]);
    });
  },
  ["versitygw"],
);

/** A page with one old upload. */
function pageOf({ key, id }: { key: string; id: string }, isLast = true): string {
  const upload = `<Key>${key}</Key><UploadId>${id}</UploadId><Initiated>2020-01-01T00:00:00.000Z</Initiated>`;
  const next = `<NextKeyMarker>${key}</NextKeyMarker><NextUploadIdMarker>${id}</NextUploadIdMarker>`;
  const page = `<IsTruncated>${!isLast}</IsTruncated>${next}<Upload>${upload}</Upload>`;
  return `<ListMultipartUploadsResult>${page}</ListMultipartUploadsResult>`;
}

function isListing({ method, url }: ProxiedRequest): boolean {
  return method === "GET" && url.searchParams.has("uploads");
}

async function* bytes(count: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(count);
}

/** Begins an upload, and leaves it. */
async function begin(config: OwnConfig, key: string): Promise<string> {
  const command = new CreateMultipartUploadCommand({ Bucket: config.bucket, Key: key });
  return (await withClient(config, (client) => client.send(command))).UploadId ?? "";
}
