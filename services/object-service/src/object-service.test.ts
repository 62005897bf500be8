import type { Locator } from "@graviton/ports/locator";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { testBackends, testFolder } from "@graviton/service/testing/backends";
import { describePostgresDays } from "@graviton/service/testing/postgres-days";
import { describeS3Days } from "@graviton/service/testing/s3-days";
import type { ServiceSubject } from "@graviton/service/testing/service-subject";
import { describe, expect, jest } from "@jest/globals";
import { objectService } from "./object-service.ts";

jest.setTimeout(60_000);

const schemes = { s3: "s3", postgres: "pg", filesystem: "fs", memory: "mem" } as const;

const subject: ServiceSubject = {
  definition: objectService,
  variable: "GRAVITON_OBJECT_BACKEND",
  async put(channel, name, backend) {
    await using objects = new RemoteObjectStore(channel);
    await objects.put(locatorOf(name, backend), once(Buffer.from(`the bytes of ${name}`)));
  },
  async expectThere(channel, name, backend) {
    await using objects = new RemoteObjectStore(channel);
    const frames = await Array.fromAsync(objects.get(locatorOf(name, backend)));
    expect(Buffer.concat(frames).toString()).toBe(`the bytes of ${name}`);
  },
};

describe("The object-service", () => {
  testBackends(subject, ["filesystem", "memory"]);
  testFolder(subject, "filesystem");
});

describeS3Days(subject);
describePostgresDays(subject);

function locatorOf(path: string, backend: string): Locator {
  return { scheme: schemes[backend as keyof typeof schemes], bucket: "tests", path };
}

async function* once<T>(item: T): AsyncGenerator<T, void, void> {
  yield item;
}
