import { keyOf } from "@graviton/cas/hasher";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { testBackends, testFolder } from "@graviton/service/testing/backends";
import { describeS3Days } from "@graviton/service/testing/s3-days";
import type { ServiceSubject } from "@graviton/service/testing/service-subject";
import { describe, expect, jest } from "@jest/globals";
import { blockService } from "./block-service.ts";

jest.setTimeout(60_000);

/** The name of a block is what is in it. */
const subject: ServiceSubject = {
  definition: blockService,
  variable: "GRAVITON_BLOCK_BACKEND",
  async put(channel, name) {
    await using blocks = new RemoteBlockStore(channel);
    const [stored] = await Array.fromAsync(blocks.putBlocks({}, once({ bytes: Buffer.from(name) })));
    expect(stored).toMatchObject({ kind: "stored", key: keyOf("blake3", Buffer.from(name)) });
  },
  async expectThere(channel, name) {
    await using blocks = new RemoteBlockStore(channel);
    const bytes = await blocks.get(keyOf("blake3", Buffer.from(name)));
    expect(Buffer.from(bytes).toString()).toBe(name);
  },
};

describe("The block-service", () => {
  testBackends(subject, ["filesystem", "memory"]);
  testFolder(subject, "filesystem");
});

describeS3Days(subject);

async function* once<T>(item: T): AsyncGenerator<T, void, void> {
  yield item;
}
