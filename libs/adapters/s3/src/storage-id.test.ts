import { expect, test } from "@jest/globals";
import { S3Bucket } from "./bucket.ts";
import { storageId } from "./storage-id.ts";
import { conditionProxy } from "./testing/condition-proxy.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { ownPrefix } from "./testing/s3-subject.ts";

describeS3("The id of a storage", (s3) => {
  test("is the same for all who ask, also for the first at once, and another in another one.", async () => {
    await using bucket = S3Bucket.open(ownPrefix(s3()));
    const ids = await Promise.all(Array.from({ length: 16 }, () => storageId(bucket)));
    expect(new Set(ids).size).toBe(1);
    expect(await storageId(bucket)).toBe(ids[0]);
    await using other = S3Bucket.open(ownPrefix(s3()));
    expect(await storageId(other)).not.toBe(ids[0]);
  });

  test.each(["ignored", "broken", 400, 403, 501] as const)(
    "is there where conditions end in: %s.",
    async (treatment) => {
      await using proxy = await conditionProxy(s3().endpoint, treatment);
      await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
      await Promise.all(Array.from({ length: 4 }, () => storageId(bucket)));
      const id = await storageId(bucket);
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect(await storageId(bucket)).toBe(id);
    },
  );

  test("is UNAVAILABLE where the bucket is not there.", async () => {
    const nowhere = { ...ownPrefix(s3()), bucket: "nowhere-to-be-found" };
    await using bucket = S3Bucket.open(nowhere);
    await expect(storageId(bucket)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });
});
