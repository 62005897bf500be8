import { createHash } from "node:crypto";
import { type Key, makeKey } from "@graviton/ports/key";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";
import { testBackends, testFolder, testLevelLock } from "@graviton/service/testing/backends";
import { describePostgresDays } from "@graviton/service/testing/postgres-days";
import type { ServiceSubject } from "@graviton/service/testing/service-subject";
import { describe, expect, jest } from "@jest/globals";
import { manifestService } from "./manifest-service.ts";

jest.setTimeout(60_000);

const locator = { scheme: "s3", bucket: "tests", path: "blocks" } as const;

/** The blob of a name is its text, in one block. */
const subject: ServiceSubject = {
  definition: manifestService,
  variable: "GRAVITON_MANIFEST_BACKEND",
  async put(channel, name) {
    await using manifests = new RemoteManifestStore(channel);
    await using replicas = new RemoteReplicaIndex(channel);
    await using ranges = new RemoteRangeTracker(channel);
    const key = keyOf(name);
    await manifests.recordBlocks([key]);
    await manifests.put({ key, attributes: { name } }, once([{ index: 0, offset: 0, block: key }]));
    await replicas.update(key, [locator]);
    await ranges.merge({ ...locator, path: name }, { start: 0, end: key.size });
  },
  async expectThere(channel, name) {
    await using manifests = new RemoteManifestStore(channel);
    await using replicas = new RemoteReplicaIndex(channel);
    await using ranges = new RemoteRangeTracker(channel);
    const key = keyOf(name);
    expect(await manifests.stat(key)).toMatchObject({ advertised: { name }, confirmed: { key } });
    expect((await Array.fromAsync(manifests.get(key))).flat()).toEqual([{ index: 0, offset: 0, block: key }]);
    expect(await replicas.replicas(key)).toEqual([locator]);
    expect(await ranges.current({ ...locator, path: name })).toEqual([{ start: 0, end: key.size }]);
  },
};

describe("The manifest-service", () => {
  testBackends(subject, ["leveldb", "memory"]);
  testFolder(subject, "leveldb");
  testLevelLock(subject);
});

describePostgresDays(subject);

function keyOf(text: string): Key {
  return makeKey("sha256", createHash("sha256").update(text).digest("hex"), Buffer.byteLength(text));
}

async function* once<T>(item: T): AsyncGenerator<T, void, void> {
  yield item;
}
