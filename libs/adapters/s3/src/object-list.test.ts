import type { Locator } from "@graviton/ports/locator";
import { expect, test } from "@jest/globals";
import type { S3ObjectStore } from "./object-store.ts";
import { type AnsweringProxy, answeringProxy } from "./testing/answering-proxy.ts";
import { describeS3, type TestS3 } from "./testing/describe-s3.ts";
import { byFolder, listOrderProxy } from "./testing/list-order-proxy.ts";
import { type OwnConfig, openObjects, ownPrefix } from "./testing/s3-subject.ts";

const at = (path: string): Locator => ({ scheme: "s3", bucket: "b", path });
/** As long as a key may be without being cut. */
const long = [..."wxyz"].map((letter) => `long-${letter.repeat(193)}`).join("/");

/** Folders whose names begin those of objects and of other folders, with what sorts before a slash behind them. */
const paths = inOrder([
  ...["a", "a!", "a!/b", "a-b", "a-b/c", "a-b.c/d", "a.b", "a/b", "a/b!", "a/b-c", "a/b/c", "a0", "a0/b", "ab/c", "b"],
  ...["photos", "photos-old/1", "photos.zip", "photos/1", "photos/2", "é/!/😀", "é/!", "é"],
  ...["", "-a", "/a", "/b", "/a/b", "0"].map((end) => `${long}${end}`),
]);

describeS3(
  "A listing",
  (s3, kind) => {
    test.each([
      ["an S3 that lists by the names in each folder", byFolder],
      ["an S3 of which that cannot be found out", undefined],
    ])("is whole and in order, by prefix and in pages, of %s.", async (_, order) => {
      const config = await withPaths(ownPrefix(s3()));
      await using proxy = order ? await listOrderProxy(s3(), order) : await readOnlyProxy(s3());
      await using store = openObjects({ ...config, endpoint: proxy.endpoint });
      for (const prefix of ["", "a-", "a/b", "photos", "é/"]) {
        const expected = paths.filter((path) => path.startsWith(prefix));
        for (const limit of [1, 1000]) expect(await pagesOf(store, prefix, limit)).toEqual(expected);
        for (const after of ["a.", "photos/3"]) {
          const left = expected.filter((path) => Buffer.compare(Buffer.from(path), Buffer.from(after)) > 0);
          expect(await pathsOf(store, prefix, { after })).toEqual(left);
        }
      }
    });

    test("of an S3 with no order to speak of is UNSUPPORTED, and misses nothing in silence.", async () => {
      const config = await withPaths(ownPrefix(s3()));
      await using proxy = await listOrderProxy(s3(), (a, b) => Buffer.compare(Buffer.from(b), Buffer.from(a)));
      await using store = openObjects({ ...config, endpoint: proxy.endpoint });
      await expect(pathsOf(store, "")).rejects.toMatchObject({ reason: "UNSUPPORTED", resource: "S3" });
    });

    // Nobody knows the order of somebody else's.
    const testOnOurs = kind === "S3" ? test.skip : test;
    testOnOurs(
      "costs one request a page of an S3 with the order that it should have, once that is known.",
      async () => {
        const config = await withPaths(ownPrefix(s3()));
        await using proxy = await answeringProxy(s3().endpoint);
        await using store = openObjects({ ...config, endpoint: proxy.endpoint });
        await pathsOf(store, "");
        let requests = 0;
        proxy.answer = async (request) => {
          requests += 1;
          return request.forward();
        };
        expect(await pathsOf(store, "a")).toEqual(paths.filter((path) => path.startsWith("a")));
        expect(requests).toBe(1);
      },
    );

    testOnOurs.each([
      ["not looked for again where they may not be made", 403, 0],
      ["made as soon as they can be where they could not", 503, 2],
    ])("needs no objects that tell the order, and these are %s (%i).", async (_, status, looksLater) => {
      const config = await withPaths(ownPrefix(s3()));
      await using proxy = await answeringProxy(s3().endpoint);
      await using store = openObjects({ ...config, endpoint: proxy.endpoint });
      proxy.answer = async (request) => (request.method === "PUT" ? { status } : request.forward());
      expect(await pathsOf(store, "")).toEqual(paths);
      let looks = 0;
      proxy.answer = async (request) => {
        if (request.url.searchParams.get("prefix")?.endsWith("_order/")) looks += 1;
        return request.forward();
      };
      for (const _ of [1, 2]) expect(await pathsOf(store, "")).toEqual(paths);
      expect(looks).toBe(looksLater);
    });
  },
  ["versitygw"],
);

/** Puts an object at each path, without the help of any listing. */
async function withPaths(config: OwnConfig): Promise<OwnConfig> {
  await using store = openObjects(config);
  await Promise.all(paths.map((path) => store.put(at(path), once())));
  return config;
}

/** A proxy before an engine, which lets nothing be written. */
async function readOnlyProxy({ endpoint }: TestS3): Promise<AnsweringProxy> {
  const proxy = await answeringProxy(endpoint);
  proxy.answer = async (request) => (request.method === "PUT" ? { status: 403 } : request.forward());
  return proxy;
}

async function pathsOf(store: S3ObjectStore, prefix: string, options = {}): Promise<string[]> {
  const infos = await Array.fromAsync(store.list(at(prefix), options));
  return infos.map(({ locator }) => locator.path);
}

/** Page by page, each after the last path of the one before. */
async function pagesOf(store: S3ObjectStore, prefix: string, limit: number): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const page = await pathsOf(store, prefix, { limit, after: all.at(-1) });
    if (page.length === 0) return all;
    all.push(...page);
  }
}

async function* once(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("1");
}

function inOrder(texts: readonly string[]): string[] {
  return texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
