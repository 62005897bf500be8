import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { blockStoreContract } from "@graviton/conformance/block-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import { blockRoutes } from "@graviton/rpc/block/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { MemoryBlockDriver } from "./block-driver.ts";
import { damageBlock, memorySubject } from "./testing/memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryBlockStore",
  storage: () => new Map<string, Uint8Array>(),
  open: (storage) => new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(storage)),
  damage: damageBlock,
});

describeContract(blockStoreContract, subject);
describeContract(
  blockStoreContract,
  overGrpc(subject, blockRoutes, (channel) => new RemoteBlockStore(channel)),
);
