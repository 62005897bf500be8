import { randomBytes } from "node:crypto";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { keyOf } from "@graviton/cas/hasher";
import { blockStoreContract } from "@graviton/conformance/block-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { BlockStore } from "@graviton/ports/block-store";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { expect, test } from "@jest/globals";
import { S3BlockDriver } from "./block-driver.ts";
import { S3Bucket } from "./bucket.ts";
import { answeringProxy, isConditional } from "./testing/answering-proxy.ts";
import { conditionProxy } from "./testing/condition-proxy.ts";
import { cuttingProxy } from "./testing/cutting-proxy.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { flipBlock, ownPrefix, s3Subject } from "./testing/s3-subject.ts";

describeS3("S3BlockStore", (s3, kind) => {
  const subject = s3Subject<BlockStore>(s3, {
    name: "S3BlockStore",
    open: (bucket, close) => new CasBlockStore("S3BlockStore", new S3BlockDriver(bucket, close)),
    damage: flipBlock,
  });

  describeContract(blockStoreContract, subject);
  // What the wire does with the store is the same on every engine.
  if (kind !== "minio") {
    describeContract(
      blockStoreContract,
      overGrpc(subject, blockRoutes, (channel) => new RemoteBlockStore(channel)),
    );
  }

  test("Bytes that are not those of a sha256 key are refused by S3, and leave nothing.", async () => {
    await using bucket = S3Bucket.open(ownPrefix(s3()));
    const driver = new S3BlockDriver(bucket);
    const key = keyOf("sha256", Buffer.from("abc"));
    await expect(driver.write(key, Buffer.from("abd"))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect(await driver.has([key])).toEqual([false]);
    await driver.write(key, Buffer.from("abc"));
    expect(await driver.has([key])).toEqual([true]);
  });

  test("A read whose connection breaks midway begins again, but not for ever.", async () => {
    await using proxy = await cuttingProxy(s3().endpoint);
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    const driver = new S3BlockDriver(bucket);
    const bytes = randomBytes(1_000_000);
    const key = keyOf("blake3", bytes);
    await driver.write(key, bytes);
    proxy.cut({ afterBytes: 500_000, times: 1 });
    expect(bytes.equals((await driver.read(key)) ?? Buffer.alloc(0))).toBe(true);
    proxy.cut({ afterBytes: 500_000, times: 2 });
    await expect(driver.read(key)).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: "S3" });
    expect(bytes.equals((await driver.read(key)) ?? Buffer.alloc(0))).toBe(true);
  });

  test("A new block costs one request once S3 was seen to heed conditions, and one of many that are there no bytes.", async () => {
    await using proxy = await conditionProxy(s3().endpoint, "heeded");
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    const driver = new S3BlockDriver(bucket);
    await add(driver, "first");
    const costs: [string, boolean, string[]][] = [
      ["second", true, ["PUT"]],
      ["second", false, ["PUT", "HEAD"]],
      ["second", false, ["HEAD"]],
      ["third", true, ["HEAD", "PUT"]],
      ["fourth", true, ["PUT"]],
    ];
    for (const [text, isNew, methods] of costs) {
      proxy.methods.length = 0;
      expect(await add(driver, text)).toBe(isNew);
      // Whether the bucket is there may be asked with any "not found".
      expect(proxy.methods.filter((method) => method !== "GET")).toEqual(methods);
    }
  });

  test("A new block costs one request also where the first look whether S3 heeds conditions failed.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    const driver = new S3BlockDriver(bucket);
    let conditions = 0;
    let asked: string[] = [];
    proxy.answer = async (request) => {
      asked.push(request.method);
      if (isConditional(request)) conditions += 1;
      return isConditional(request) && conditions === 1 ? incompleteBody : request.forward();
    };
    for (const text of ["first", "second"]) expect(await add(driver, text)).toBe(true);
    expect(conditions).toBe(2);
    for (const text of ["third", "fourth"]) {
      asked = [];
      expect(await add(driver, text)).toBe(true);
      expect(asked).toEqual(["PUT"]);
    }
  });

  test.each(["ignored", "broken", 400, 403, 501, 503] as const)(
    "A block is new once, and costs as little as can be, where conditions end in: %s.",
    async (treatment) => {
      await using proxy = await conditionProxy(s3().endpoint, treatment);
      await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
      const driver = new S3BlockDriver(bucket);
      for (const text of ["first", "second", "third", "fourth"]) {
        expect(await add(driver, text)).toBe(true);
        expect(await add(driver, text)).toBe(false);
      }
      proxy.methods.length = 0;
      expect(await add(driver, "last")).toBe(true);
      expect(await add(driver, "last")).toBe(false);
      expect(proxy.methods.filter((method) => method !== "GET")).toEqual(["HEAD", "PUT", "HEAD"]);
    },
  );

  test("A block that is there is seen to be so although S3 breaks the connection instead of refusing it.", async () => {
    await using proxy = await conditionProxy(s3().endpoint, "heeded");
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    const driver = new S3BlockDriver(bucket);
    await add(driver, "first");
    proxy.treatment = "broken";
    expect(await add(driver, "first")).toBe(false);
  });

  test("An object of another size, where a block should be, is replaced.", async () => {
    await using bucket = S3Bucket.open(ownPrefix(s3()));
    const driver = new S3BlockDriver(bucket);
    await add(driver, "first");
    const key = keyOf("blake3", Buffer.from("whole"));
    await driver.write(key, Buffer.from("who"));
    expect(await add(driver, "whole")).toBe(true);
    expect(await driver.read(key)).toEqual(Buffer.from("whole"));
  });

  test("Where one of many questions about presence fails, all end.", async () => {
    await using proxy = await cuttingProxy(s3().endpoint);
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint, requestsMax: 8 });
    const driver = new S3BlockDriver(bucket);
    const keys = Array.from({ length: 1000 }, (_, index) => keyOf("blake3", Buffer.from(String(index))));
    proxy.cut({ afterBytes: 0, times: 1_000_000 });
    await expect(driver.has(keys)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    const { cuts } = proxy;
    expect(cuts).toBeLessThan(100);
    proxy.cut({ afterBytes: 0, times: 0 });
    expect(await driver.has(keys)).toEqual(keys.map(() => false));
    expect(proxy.cuts).toBe(cuts);
    expect(proxy.openMost).toBeLessThanOrEqual(8);
  });
});

/** What S3 answers to a body that broke off on its way. */
const incompleteBody = { status: 400, body: "<Error><Code>IncompleteBody</Code></Error>" };

function add(driver: S3BlockDriver, text: string): Promise<boolean> {
  const bytes = Buffer.from(text);
  return driver.add(keyOf("blake3", bytes), bytes);
}
