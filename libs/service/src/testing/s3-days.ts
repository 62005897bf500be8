import { randomBytes } from "node:crypto";
import { describeS3 } from "@graviton/s3/testing/describe-s3";
import { createBucket, freePort, type S3Engine, s3EngineNames, startS3Engine } from "@graviton/s3/testing/s3-engine";
import { expect, test } from "@jest/globals";
import { expectToServe } from "./backends.ts";
import type { ServiceSubject } from "./service-subject.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { startProcess, type TestProcess } from "./test-process.ts";

/** Describes the good and the bad days of a service with its S3. */
export function describeS3Days(subject: ServiceSubject): void {
  const { definition, variable } = subject;

  describeS3(`The ${definition.name}`, (s3, kind, own) => {
    test("serves on s3, says so in its metrics, and drains", async () => {
      await expectToServe(subject, "s3", s3Environment(s3()));
    });

    test("says that S3 refuses the credentials, and never which", async () => {
      await using process = await start({ ...s3(), secretAccessKey: "hush-hush" });
      await expectToRefuse(process, "S3 refuses the credentials: check them");
      expect(JSON.stringify([await process.page("/readyz"), process.lines])).not.toContain("hush-hush");
    });

    test("says that the bucket is missing, and serves once it is there", async () => {
      const engine = { ...s3(), bucket: `test-${randomBytes(8).toString("hex")}` };
      await using process = await start(engine);
      await expectToRefuse(process, "S3 does not have the bucket: create it");
      await createBucket(engine);
      await expectToRecover(process);
    });

    const engine = s3EngineNames.find((name) => name === kind);
    // Nobody stops and starts what is somebody else's.
    if (own && engine !== undefined) {
      test("outlives an S3 that is away, at the start and later, and has everything when it is back", async () => {
        await using folder = await temporaryFolder();
        const startAgain = () => startS3Engine({ engine, folder: folder.path, port });
        const port = await freePort();
        await using process = await start({ ...s3(), bucket: "graviton", endpoint: `http://127.0.0.1:${port}` });
        await expectToRefuse(process, "S3 cannot be reached");
        {
          await using _engine = await startAgain();
          await process.ready();
          await subject.put(process.channel, "before", "s3");
        }
        await expectToRefuse(process, "S3 cannot be reached");
        await using _engine = await startAgain();
        await expectToRecover(process);
        await subject.expectThere(process.channel, "before", "s3");
      });
    }
  });

  function start(engine: S3Engine): Promise<TestProcess> {
    return startProcess(definition, { [variable]: "s3", ...s3Environment(engine) });
  }

  /** Expects the process to live, to say why it does not serve, and to answer calls with the same. */
  async function expectToRefuse(process: TestProcess, why: string): Promise<void> {
    expect(await process.unready()).toContain(why);
    expect((await process.page("/healthz")).status).toBe(200);
    await expect(subject.put(process.channel, "refused", "s3")).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining(why),
    });
  }

  async function expectToRecover(process: TestProcess): Promise<void> {
    await process.ready();
    await subject.put(process.channel, "after", "s3");
    await subject.expectThere(process.channel, "after", "s3");
  }
}

/** What tells a process its S3; by default with a prefix that nobody else uses. */
export function s3Environment(
  { endpoint, bucket, accessKeyId, secretAccessKey }: S3Engine,
  prefix = `test-${randomBytes(8).toString("hex")}/`,
): Record<string, string> {
  return {
    GRAVITON_S3_ENDPOINT: endpoint,
    GRAVITON_S3_BUCKET: bucket,
    GRAVITON_S3_ACCESS_KEY_ID: accessKeyId,
    GRAVITON_S3_SECRET_ACCESS_KEY: secretAccessKey,
    GRAVITON_S3_PREFIX: prefix,
  };
}
