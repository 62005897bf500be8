import { objectStoreContract } from "@graviton/conformance/object-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { PostgresObjectStore } from "./object-store.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";

describePostgres("PostgresObjectStore", (server) => {
  const subject = postgresSubject<MutableObjectStore>(server, {
    name: "PostgresObjectStore",
    open: (database, close) => new PostgresObjectStore(database, close),
    damage: `UPDATE object_chunks SET content = set_byte(content, 0, get_byte(content, 0) # 1)
      WHERE version = (SELECT version FROM objects WHERE 'pg://' || bucket || '/' || path = $1)`,
  });

  describeContract(objectStoreContract, subject);
  describeContract(
    objectStoreContract,
    overGrpc(subject, objectRoutes, (channel) => new RemoteObjectStore(channel)),
  );
});
