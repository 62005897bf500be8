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
