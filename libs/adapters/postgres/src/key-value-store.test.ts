import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { PostgresKeyValueStore } from "./key-value-store.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";

describePostgres("PostgresKeyValueStore", (server) => {
  const subject = postgresSubject<KeyValueStore>(server, {
    name: "PostgresKeyValueStore",
    open: (database, close) => new PostgresKeyValueStore(database, close),
    damage: `UPDATE key_values SET value = set_byte(value, 0, get_byte(value, 0) # 1)
      WHERE key = convert_to($1, 'UTF8')`,
  });

  describeContract(keyValueStoreContract, subject);
  describeContract(
    keyValueStoreContract,
    overGrpc(subject, kvRoutes, (channel) => new RemoteKeyValueStore(channel)),
  );
});
