import { randomBytes } from "node:crypto";
import { paginateListObjectsV2 } from "@aws-sdk/client-s3";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { describe, expect, test } from "@jest/globals";
import { S3ObjectStore } from "../object-store.ts";
import { describeS3, s3Sources, type TestS3 } from "./describe-s3.ts";
import { configOf, type S3EngineName } from "./s3-engine.ts";
import { s3Subject, withClient } from "./s3-subject.ts";

describe("Tests that need an S3", () => {
  const both: readonly S3EngineName[] = ["versitygw", "minio"];
  const somebodyElses = { GRAVITON_TEST_S3_ENDPOINT: "https://s3.example.com", GRAVITON_TEST_S3_ENGINE: "minio" };
  const onlyVersitygw = (engine: S3EngineName) => (engine === "versitygw" ? "/bin/versitygw" : undefined);

  test("name each engine that is not installed, also beside one that is", () => {
    expect(s3Sources(both, {}, onlyVersitygw)).toEqual([
      { kind: "versitygw", own: true, start: expect.any(Function) },
      { kind: "minio", missing: "minio is not installed, and GRAVITON_TEST_S3_ENDPOINT is not set" },
    ]);
  });

  test("leave out an engine that does not matter to them, or that nobody asks for", () => {
    expect(s3Sources(["versitygw"], {}, onlyVersitygw)).toMatchObject([{ kind: "versitygw", own: true }]);
    expect(s3Sources(both, { GRAVITON_TEST_S3_ENGINE: "versitygw" }, onlyVersitygw)).toHaveLength(1);
  });

  test("say so when the engine that is asked for does not matter to them", () => {
    const missing = "GRAVITON_TEST_S3_ENGINE asks for minio alone";
    const asked = { GRAVITON_TEST_S3_ENGINE: "minio" };
    expect(s3Sources(["versitygw"], asked, onlyVersitygw)).toEqual([{ kind: "versitygw", missing }]);
  });

  test("run on the S3 of somebody else alone, also where that is an engine they could start", () => {
    expect(s3Sources(both, somebodyElses)).toEqual([{ kind: "minio", own: false, start: expect.any(Function) }]);
  });
});

describeS3(
  "A store under test",
  (s3) => {
    test.each(["S3", "minio"])("leaves nothing in somebody else's %s", async (kind) => {
      const given: TestS3 = { ...s3(), kind, own: false };
      const subject = s3Subject<MutableObjectStore>(() => given, {
        name: "S3ObjectStore",
        open: (bucket, close) => new S3ObjectStore(bucket, { close }),
      });
      const path = randomBytes(8).toString("hex");
      {
        await using harness = await subject.start();
        await using store = await harness.open();
        await store.put({ scheme: "s3", bucket: "b", path }, once(Uint8Array.of(1)));
        expect(await countOf(path, given)).toBe(1);
      }
      expect(await countOf(path, given)).toBe(0);
    });
  },
  ["versitygw"],
);

/** How many objects of the bucket have this in their keys. */
async function countOf(path: string, s3: TestS3): Promise<number> {
  return withClient(configOf(s3), async (client) => {
    const pages = await Array.fromAsync(paginateListObjectsV2({ client }, { Bucket: s3.bucket }));
    return pages.flatMap(({ Contents = [] }) => Contents).filter(({ Key }) => Key?.includes(path)).length;
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
