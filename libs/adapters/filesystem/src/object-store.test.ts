import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Harness, Subject } from "@graviton/conformance/contract";
import { objectStoreContract } from "@graviton/conformance/object-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { filesystemCapabilities } from "./capabilities.ts";
import { FilesystemObjectStore } from "./object-store.ts";

const subject: Subject<MutableObjectStore> = {
  name: "FilesystemObjectStore",
  capabilities: filesystemCapabilities,
  isolated: true,
  damageable: false,
  async start(): Promise<Harness<MutableObjectStore>> {
    const folder = await mkdtemp(join(tmpdir(), "graviton-filesystem-"));
    return {
      open: () => FilesystemObjectStore.open(folder),
      damage: async () => {
        throw new Error("objects carry nothing that would tell damage");
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  },
};

describeContract(objectStoreContract, subject);
describeContract(
  objectStoreContract,
  overGrpc(subject, objectRoutes, (channel) => new RemoteObjectStore(channel)),
);
