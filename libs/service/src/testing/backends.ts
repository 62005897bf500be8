import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { ServiceSubject } from "./service-subject.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { startProcess } from "./test-process.ts";

/** Tests that a service serves on backends that need nothing but a folder. */
export function testBackends(subject: ServiceSubject, backends: readonly string[]): void {
  test.each(backends)("serves on %s, says so in its metrics, and drains", async (backend) => {
    await using folder = await temporaryFolder();
    await expectToServe(subject, backend, { GRAVITON_DATA: join(folder.path, "data") });
  });
}

/** Tests that a service whose data folder cannot be had says so, and serves as soon as it can. */
export function testFolder(subject: ServiceSubject, backend: string): void {
  test(`says that it cannot have the data folder for ${backend}, and serves once it can`, async () => {
    await using folder = await temporaryFolder();
    const data = join(folder.path, "data");
    await writeFile(data, "a file in the way");
    await using process = await startProcess(subject.definition, { [subject.variable]: backend, GRAVITON_DATA: data });
    const why = `cannot write to the data folder ${data}`;
    expect(await process.unready()).toContain(why);
    await expect(subject.put(process.channel, "refused", backend)).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining(why),
    });
    await rm(data);
    await process.ready();
    await subject.put(process.channel, "after", backend);
    await subject.expectThere(process.channel, "after", backend);
  });
}

/** Tests that of two processes on one folder of LevelDB's only the first one serves, and the second one as soon as it can. */
export function testLevelLock(subject: ServiceSubject): void {
  test("waits for the folder of another one's LevelDB, and says so", async () => {
    await using folder = await temporaryFolder();
    const environment = { [subject.variable]: "leveldb", GRAVITON_DATA: folder.path };
    await using first = await startProcess(subject.definition, environment);
    await first.ready();
    await subject.put(first.channel, "first", "leveldb");
    await using second = await startProcess(subject.definition, environment);
    expect(await second.unready()).toMatch(/^LevelDB: database \S+ is open already/);
    await expect(subject.put(second.channel, "second", "leveldb")).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining("only one may have it, close the other"),
    });
    await first[Symbol.asyncDispose]();
    await second.ready();
    await subject.expectThere(second.channel, "first", "leveldb");
  });
}

/**
 * Expects a service to become ready, to keep what is put, to count the work under the name of its backend, and to end.
 *
 * @param environment beside the choice of the backend
 */
export async function expectToServe(
  subject: ServiceSubject,
  backend: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const { definition, variable } = subject;
  const process = await startProcess(definition, { [variable]: backend, ...environment });
  try {
    await process.ready();
    await subject.put(process.channel, "first", backend);
    await subject.expectThere(process.channel, "first", backend);
    const { text } = await process.page("/metrics");
    const done = text.matchAll(
      /^graviton_store_operations_total\{store="\w+",backend="(\w+)".*,outcome="ok"\} [1-9]/gm,
    );
    expect(new Set([...done].map(([, name]) => name))).toEqual(new Set([backend]));
  } finally {
    await process[Symbol.asyncDispose]();
  }
  await expect(process.page("/healthz")).rejects.toThrow("fetch failed");
}
