import { replicaIndexContract } from "@graviton/conformance/replica-index";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { Locator } from "@graviton/ports/locator";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import { InMemoryReplicaIndex } from "./replica-index.ts";
import { memorySubject } from "./testing/memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryReplicaIndex",
  storage: () => new Map<string, readonly Locator[]>(),
  open: (storage) => new InMemoryReplicaIndex(storage),
});

describeContract(replicaIndexContract, subject);
describeContract(
  replicaIndexContract,
  overGrpc(subject, replicaRoutes, (channel) => new RemoteReplicaIndex(channel)),
);
