import { afterAll, beforeAll, describe, jest, test } from "@jest/globals";
import { findS3Engine, type S3Engine, type S3EngineName, s3EngineNames, startS3Engine } from "./s3-engine.ts";

/** An S3 to test against. */
export interface TestS3 extends S3Engine {
  /** What it is: a program by its name, or `S3` when somebody else runs it and does not say. */
  readonly kind: string;
  /** Whether it is the tests' own: theirs to stop and to start, and gone after them with all that it stores. */
  readonly own: boolean;
}

/**
 * Describes tests that need an S3: once for each engine, which runs from the first to the last of them.
 * `GRAVITON_TEST_S3_ENGINE` restricts them to one; `GRAVITON_TEST_S3_ENDPOINT` gives the S3 of somebody else instead, and
 * the engine's name then says which one it is, since MinIO keeps one promise less. An engine that is not installed
 * shows as a skipped test, with the reason in its name; on a CI that test fails.
 *
 * @param define gets the S3's getter, to be called within tests only, the kind, and whether the S3 is the tests' own
 * @param engines those that matter to the tests
 */
export function describeS3(
  what: string,
  define: (s3: () => TestS3, kind: string, own: boolean) => void,
  engines: readonly S3EngineName[] = s3EngineNames,
): void {
  jest.setTimeout(testMsMax);
  for (const source of s3Sources(engines, process.env)) {
    const { kind } = source;
    if ("missing" in source) testMissing(`${what} on ${kind}`, source.missing);
    else describeOn(`${what} on ${kind}`, source.start, (s3) => define(s3, kind, source.own));
  }
}

/** An S3 to run the tests on, or why there is none. */
export type S3Source =
  | { readonly kind: string; readonly own: boolean; readonly start: () => Promise<TestS3 & AsyncDisposable> }
  | { readonly kind: string; readonly missing: string };

/**
 * What the environment has for tests that matter on these engines; never nothing.
 *
 * @param find where a program is, if it is installed
 */
export function s3Sources(
  engines: readonly S3EngineName[],
  environment: NodeJS.ProcessEnv,
  find: (engine: S3EngineName) => string | undefined = findS3Engine,
): S3Source[] {
  const given = givenS3(environment);
  if (given !== undefined) return [{ kind: given.kind, own: false, start: async () => given }];
  const wanted = environment.GRAVITON_TEST_S3_ENGINE;
  const chosen = engines.filter((name) => wanted === undefined || wanted === name);
  if (chosen.length > 0) return chosen.map((name) => installedS3(name, find));
  return [{ kind: engines.join(" or "), missing: `GRAVITON_TEST_S3_ENGINE asks for ${wanted} alone` }];
}

/** The S3 of somebody else that the environment gives. */
export function givenS3(environment: NodeJS.ProcessEnv): (TestS3 & AsyncDisposable) | undefined {
  const endpoint = environment.GRAVITON_TEST_S3_ENDPOINT;
  if (endpoint === undefined) return undefined;
  return {
    kind: environment.GRAVITON_TEST_S3_ENGINE ?? "S3",
    own: false,
    endpoint,
    accessKeyId: environment.GRAVITON_TEST_S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: environment.GRAVITON_TEST_S3_SECRET_ACCESS_KEY ?? "",
    bucket: environment.GRAVITON_TEST_S3_BUCKET ?? "graviton",
    async [Symbol.asyncDispose]() {},
  };
}

function installedS3(kind: S3EngineName, find: (engine: S3EngineName) => string | undefined): S3Source {
  if (find(kind) === undefined) {
    return { kind, missing: `${kind} is not installed, and GRAVITON_TEST_S3_ENDPOINT is not set` };
  }
  const own = true;
  return { kind, own, start: async () => ({ kind, own, ...(await startS3Engine({ engine: kind })) }) };
}

function testMissing(what: string, reason: string): void {
  const missing = `${what} (skipped: ${reason})`;
  if (process.env.CI) test(missing, () => Promise.reject(new Error(reason)));
  else test.skip(missing, () => {});
}

function describeOn(
  what: string,
  start: () => Promise<TestS3 & AsyncDisposable>,
  define: (s3: () => TestS3) => void,
): void {
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
