import { replicaIndexContract } from "@graviton/conformance/replica-index";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import { LevelReplicaIndex } from "./replica-index.ts";
import { recordKey } from "./tables.ts";
import { levelSubject } from "./testing/level-subject.ts";

const subject = levelSubject<ReplicaIndex>(
  "LevelReplicaIndex",
  (database, close) => new LevelReplicaIndex(database, close),
  (name) => recordKey("replicas", name),
);

describeContract(replicaIndexContract, subject);
describeContract(
  replicaIndexContract,
  overGrpc(subject, replicaRoutes, (channel) => new RemoteReplicaIndex(channel)),
);
