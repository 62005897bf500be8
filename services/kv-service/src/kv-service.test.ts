import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { testBackends, testFolder, testLevelLock } from "@graviton/service/testing/backends";
import { describePostgresDays } from "@graviton/service/testing/postgres-days";
import type { ServiceSubject } from "@graviton/service/testing/service-subject";
import { describe, expect, jest } from "@jest/globals";
import { kvService } from "./kv-service.ts";

jest.setTimeout(60_000);

const subject: ServiceSubject = {
  definition: kvService,
  variable: "GRAVITON_KV_BACKEND",
  async put(channel, name) {
    await using pairs = new RemoteKeyValueStore(channel);
    await pairs.put(name, Buffer.from(`the value of ${name}`));
  },
  async expectThere(channel, name) {
    await using pairs = new RemoteKeyValueStore(channel);
    expect(Buffer.from((await pairs.get(name)) ?? []).toString()).toBe(`the value of ${name}`);
  },
};

describe("The kv-service", () => {
  testBackends(subject, ["leveldb", "memory"]);
  testFolder(subject, "leveldb");
  testLevelLock(subject);
});

describePostgresDays(subject);
