import { afterAll, beforeAll, describe, jest, test } from "@jest/globals";
import { findS3Engine, type S3Engine, type S3EngineName, s3EngineNames, startS3Engine } from "./s3-engine.ts";

/** An S3 to test against. */
export interface TestS3 extends S3Engine {
  /** What it is: a program of ours by its name, or `S3` when somebody else runs it. */
  readonly kind: string;
}

/**
 * Describes tests that need an S3: once for each engine that is installed, which runs from the first to the last of
 * them. `GRAVITON_TEST_S3_ENGINE` restricts them to one; `GRAVITON_TEST_S3_ENDPOINT` gives the S3 of somebody else
 * instead, and the engine's name then says which one it is, since MinIO keeps one promise less. Where there is none they
 * show as skipped, with the reason in their name; on a CI they fail.
 *
 * @param define gets the kind, and the S3's getter, to be called within tests only
 * @param engines those that matter to the tests
 */
export function describeS3(
  what: string,
  define: (s3: () => TestS3, kind: string) => void,
  engines: readonly S3EngineName[] = s3EngineNames,
): void {
  jest.setTimeout(testMsMax);
  const sources = givenS3() ?? installedEngines(engines);
  if (sources.length === 0) {
    const reason = `none of ${wantedOf(engines).join(" and ")} is in PATH, and GRAVITON_TEST_S3_ENDPOINT is not set`;
    const missing = `${what} (skipped: ${reason})`;
    if (process.env.CI) test(missing, () => Promise.reject(new Error(reason)));
    else test.skip(missing, () => {});
  }
  for (const { kind, start } of sources) describeOn(`${what} on ${kind}`, start, (s3) => define(s3, kind));
}

interface Source {
  readonly kind: string;
  readonly start: () => Promise<TestS3 & AsyncDisposable>;
}

function describeOn(what: string, start: Source["start"], define: (s3: () => TestS3) => void): void {
  describe(what, () => {
    let running: (TestS3 & AsyncDisposable) | undefined;
    beforeAll(async () => {
      running = await start();
    }, startMsMax);
    afterAll(async () => {
      await running?.[Symbol.asyncDispose]();
    }, startMsMax);
    define(() => {
      if (running === undefined) throw new Error("the S3 runs only while its tests do");
      return running;
    });
  });
}

/** Starting takes a second or two on an idle machine. */
const startMsMax = 90_000;

/** On a busy machine an engine is slow; the slowest of its tests takes a few seconds on an idle one. */
const testMsMax = 60_000;

function givenS3(): Source[] | undefined {
  const endpoint = process.env.GRAVITON_TEST_S3_ENDPOINT;
  if (endpoint === undefined) return undefined;
  const kind = process.env.GRAVITON_TEST_S3_ENGINE ?? "S3";
  const s3 = {
    kind,
    endpoint,
    accessKeyId: process.env.GRAVITON_TEST_S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: process.env.GRAVITON_TEST_S3_SECRET_ACCESS_KEY ?? "",
    bucket: process.env.GRAVITON_TEST_S3_BUCKET ?? "graviton",
    async [Symbol.asyncDispose]() {},
  };
  return [{ kind, start: async () => s3 }];
}

function wantedOf(engines: readonly S3EngineName[]) {
  const wanted = process.env.GRAVITON_TEST_S3_ENGINE;
  return engines.filter((name) => wanted === undefined || wanted === name);
}

function installedEngines(engines: readonly S3EngineName[]): Source[] {
  return wantedOf(engines)
    .filter((name) => findS3Engine(name) !== undefined)
    .map((name) => ({ kind: name, start: async () => ({ kind: name, ...(await startS3Engine({ engine: name })) }) }));
}
