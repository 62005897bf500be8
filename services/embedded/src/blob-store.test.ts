import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import type { Damage, Subject } from "@graviton/conformance/contract";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { levelCapabilities } from "@graviton/leveldb/capabilities";
import type { BlobStore } from "@graviton/ports/blob-store";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { openDataFolder } from "./data-folder.ts";

const subject: Subject<BlobStore> = {
  name: "CasBlobStore over filesystem and LevelDB",
  capabilities: levelCapabilities,
  isolated: true,
  damageable: true,
  async start() {
    const folder = await mkdtemp(join(tmpdir(), "graviton-embedded-"));
    return {
      async open() {
        const stores = await openDataFolder(folder);
        return Object.assign(stores.blobs, { [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() });
      },
      damage: (name, how = "flipped") => damageBlock(join(folder, "blocks"), name, how),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  },
};

describeContract(blobStoreContract, subject);
describeContract(
  blobStoreContract,
  overGrpc(subject, blobRoutes, (channel) => new RemoteBlobStore(channel)),
);

/** Removes the file of a block, or flips the lowest bit of its first byte. */
async function damageBlock(folder: string, name: string, how: Damage): Promise<void> {
  const files = await readdir(folder, { recursive: true });
  const found = files.find((file) => file.endsWith(name.replaceAll(":", "-")));
  if (found === undefined) throw new Error(`there is no block ${name} to damage`);
  if (how === "lost") return rm(join(folder, found));
  await using file = await open(join(folder, found), "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
  buffer[0] = (buffer[0] ?? 0) ^ 1;
  await file.write(buffer, 0, 1, 0);
}
