import { manifestStoreContract } from "@graviton/conformance/manifest-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { PostgresManifestStore } from "./manifest-store.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";

describePostgres("PostgresManifestStore", (server) => {
  const subject = postgresSubject<ManifestStore>(server, {
    name: "PostgresManifestStore",
    open: (database, close) => new PostgresManifestStore(database, close),
    damage: `UPDATE manifest_pages SET content = set_byte(content, 20, get_byte(content, 20) # 1)
      WHERE version = (SELECT version FROM manifests WHERE key = $1)`,
  });

  describeContract(manifestStoreContract, subject);
  describeContract(
    manifestStoreContract,
    overGrpc(subject, manifestRoutes, (channel) => new RemoteManifestStore(channel)),
  );
});
