import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { formatLocator } from "@graviton/ports/locator";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { type Answerer, answeringProxy, type ProxiedRequest } from "@graviton/s3/testing/answering-proxy";
import { describeS3 } from "@graviton/s3/testing/describe-s3";
import { createBucket } from "@graviton/s3/testing/s3-engine";
import { ownPrefix } from "@graviton/s3/testing/s3-subject";
import { s3Environment } from "@graviton/service/testing/s3-days";
import { temporaryFolder } from "@graviton/service/testing/temporary-folder";
import { startProcess, type TestProcess, until } from "@graviton/service/testing/test-process";
import { describe, expect, jest, test } from "@jest/globals";
import { blockService } from "./block-service.ts";

jest.setTimeout(60_000);

describe("A block service on a folder", () => {
  test("says the same of one folder, and something else of another at the same path.", async () => {
    await using parent = await temporaryFolder();
    const [data, aside] = [join(parent.path, "data"), join(parent.path, "aside")];
    const first = await locationOn({ GRAVITON_BLOCK_BACKEND: "filesystem", GRAVITON_DATA: data });
    expect(first).toMatch(/^fs:\/\/[^/]+\/.+\/data\/blocks\/[0-9a-f]{32}$/);
    expect(await locationOn({ GRAVITON_BLOCK_BACKEND: "filesystem", GRAVITON_DATA: data })).toBe(first);
    await rename(data, aside);
    expect(await locationOn({ GRAVITON_BLOCK_BACKEND: "filesystem", GRAVITON_DATA: data })).not.toBe(first);
    await rename(data, join(parent.path, "other"));
    await rename(aside, data);
    expect(await locationOn({ GRAVITON_BLOCK_BACKEND: "filesystem", GRAVITON_DATA: data })).toBe(first);
  });

  test("says the same in several processes that start at once.", async () => {
    await using folder = await temporaryFolder();
    const environment = { GRAVITON_BLOCK_BACKEND: "filesystem", GRAVITON_DATA: folder.path };
    const locations = await Promise.all(Array.from({ length: 4 }, () => locationOn(environment)));
    expect(new Set(locations).size).toBe(1);
  });

  test("serves blocks, and says nothing, where the folder cannot keep an id.", async () => {
    await using folder = await temporaryFolder();
    const environment = { GRAVITON_BLOCK_BACKEND: "filesystem", GRAVITON_DATA: folder.path };
    await locationOn(environment);
    await rm(join(folder.path, "blocks", "id"));
    await mkdir(join(folder.path, "blocks", "id"));
    expect(await locationOn(environment)).toBe(undefined);
  });
});

test("A block service in memory says something else each time.", async () => {
  const first = await locationOn({ GRAVITON_BLOCK_BACKEND: "memory" });
  expect(first).toMatch(/^mem:\/\//);
  expect(await locationOn({ GRAVITON_BLOCK_BACKEND: "memory" })).not.toBe(first);
});

describeS3(
  "A block service",
  (s3) => {
    test("says the same of one bucket, and something else by another prefix or endpoint.", async () => {
      const { prefix } = ownPrefix(s3());
      const first = await locationOn(s3Environment(s3(), prefix));
      expect(first).toMatch(new RegExp(`^s3://${s3().bucket}/${prefix}blocks/[0-9a-f]{32}$`));
      expect(await locationOn(s3Environment(s3(), prefix))).toBe(first);
      expect(await locationOn(s3Environment(s3()))).not.toBe(first);
      await using elsewhere = await answeringProxy(s3().endpoint);
      expect(await locationOn(s3Environment({ ...s3(), endpoint: elsewhere.endpoint }, prefix))).not.toBe(first);
    });

    test("says something else of another S3 that has come to the same endpoint.", async () => {
      await using proxy = await answeringProxy(s3().endpoint);
      await using process = await startProcess(blockService, s3Environment({ ...s3(), endpoint: proxy.endpoint }));
      await process.ready();
      const first = await locationOf(process);
      const asked: boolean[] = [];
      const come = (comes: Answerer) => {
        proxy.answer = async (request) => {
          asked.push(isId(request));
          return comes(request);
        };
      };
      const other = { status: 200, headers: { "content-length": 5 }, body: "other" };
      come(async (request) => (isId(request) ? other : request.forward()));
      const second = await until(
        () => locationOf(process),
        (location) => location !== first,
      );
      come((request) => request.forward());
      await until(
        () => locationOf(process),
        (location) => location === first,
      );
      // To read the id is all that it costs to see that S3 is there.
      expect(asked).toEqual(asked.map(() => true));
      const said = process.lines.map(({ location }) => location).filter((location) => location !== undefined);
      expect(said).toEqual([first, second, first]);
    });

    test("serves blocks, and says nothing, where S3 refuses to give the id.", async () => {
      await using proxy = await answeringProxy(s3().endpoint);
      proxy.answer = async (request) => (isId(request) ? { status: 403 } : request.forward());
      expect(await locationOn(s3Environment({ ...s3(), endpoint: proxy.endpoint }))).toBe(undefined);
    });

    test("says that it cannot be asked while S3 is away at the start, and where its blocks are afterwards.", async () => {
      const engine = { ...s3(), bucket: `test-${randomBytes(8).toString("hex")}` };
      await using process = await startProcess(blockService, s3Environment(engine));
      await process.unready();
      await expect(locationOf(process)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
      await createBucket(engine);
      await process.ready();
      expect(await locationOf(process)).toContain(`s3://${engine.bucket}/`);
    });
  },
  ["versitygw"],
);

/** Whether it asks for the id of the storage. */
function isId({ method, url }: ProxiedRequest): boolean {
  return method === "GET" && url.pathname.endsWith("blocks/id");
}

/** What a process says, once it serves. */
async function locationOn(environment: Readonly<Record<string, string>>): Promise<string | undefined> {
  await using process = await startProcess(blockService, environment);
  await process.ready();
  return await locationOf(process);
}

async function locationOf(process: TestProcess): Promise<string | undefined> {
  await using blocks = new RemoteBlockStore(process.channel);
  const location = await blocks.location();
  return location && formatLocator(location);
}
