import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { blockStoreContract } from "@graviton/conformance/block-store";
import type { Harness, Subject } from "@graviton/conformance/contract";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { BlockStore } from "@graviton/ports/block-store";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { FilesystemBlockDriver } from "./block-driver.ts";
import { filesystemCapabilities } from "./capabilities.ts";

const subject: Subject<BlockStore> = {
  name: "FilesystemBlockStore",
  capabilities: filesystemCapabilities,
  isolated: true,
  damageable: true,
  async start(): Promise<Harness<BlockStore>> {
    const folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
    return {
      open: async () => new CasBlockStore("FilesystemBlockStore", await FilesystemBlockDriver.open(folder)),
      damage: (name) => flipBit(folder, name),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  },
};

describeContract(blockStoreContract, subject);
describeContract(
  blockStoreContract,
  overGrpc(subject, blockRoutes, (channel) => new RemoteBlockStore(channel)),
);

/** Flips the lowest bit of the first byte of the block with this key. */
async function flipBit(folder: string, name: string): Promise<void> {
  const files = await readdir(join(folder, "blocks"), { recursive: true });
  const found = files.find((file) => file.endsWith(name.replaceAll(":", "-")));
  if (found === undefined) throw new Error(`there is no block ${name} to damage`);
  await using file = await open(join(folder, "blocks", found), "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
  buffer[0] = (buffer[0] ?? 0) ^ 1;
  await file.write(buffer, 0, 1, 0);
}
