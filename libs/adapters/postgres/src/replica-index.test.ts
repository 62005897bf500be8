import { replicaIndexContract } from "@graviton/conformance/replica-index";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { RemoteReplicaIndex } from "@graviton/rpc/replica/remote";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import { PostgresReplicaIndex } from "./replica-index.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";

describePostgres("PostgresReplicaIndex", (server) => {
  const subject = postgresSubject<ReplicaIndex>(server, {
    name: "PostgresReplicaIndex",
    open: (database, close) => new PostgresReplicaIndex(database, close),
    damage: `UPDATE replicas SET locators[1] = locators[1] || '1' WHERE key = $1`,
  });

  describeContract(replicaIndexContract, subject);
  describeContract(
    replicaIndexContract,
    overGrpc(subject, replicaRoutes, (channel) => new RemoteReplicaIndex(channel)),
  );
});
