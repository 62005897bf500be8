import { freshKey } from "@graviton/conformance/content";
import { manifestStoreContract } from "@graviton/conformance/manifest-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { expect, test } from "@jest/globals";
import { record } from "./block-keys.ts";
import { manifestPagesPerRead } from "./limits.ts";
import { PostgresManifestStore } from "./manifest-store.ts";
import { ManifestUpload, manifestTables } from "./manifest-upload.ts";
import { PartsRemover } from "./parts-remover.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";
import { testDatabase } from "./testing/test-database.ts";

const blockBytes = 4096;

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

  test("A range in the middle of 400 pages reads a handful of them, by the index.", async () => {
    // One connection, so that what the store reads is within the transaction that is looked at.
    await using opened = await testDatabase(server(), { poolMax: 1 });
    const { database } = opened;
    const blocks = Array.from({ length: 400 }, () => freshKey(blockBytes));
    const entries = blocks.map((block, index) => ({ index, offset: index * blockBytes, block }));
    const key = freshKey(blocks.length * blockBytes);
    await record(database, blocks);
    await using remover = new PartsRemover(database, manifestTables);
    const upload = new ManifestUpload(database, remover, key, undefined);
    for (const entry of entries) await upload.add([entry]);
    await upload.finish();
    await upload.publish({}, 1);
    await database.query("ANALYZE manifest_pages", []);

    await database.query("BEGIN", []);
    await using store = new PostgresManifestStore(database);
    const range = { offset: 200 * blockBytes + 1, length: 2 * blockBytes };
    const found = (await Array.fromAsync(store.blockRefs(key, range))).flat();
    const { rows } = await database.query(
      `SELECT seq_scan = 0 AS none, idx_scan > 0 AS some, idx_tup_fetch <= $1 AS few
        FROM pg_stat_xact_user_tables WHERE relid = 'manifest_pages'::regclass`,
      [manifestPagesPerRead + 1],
    );
    await database.query("COMMIT", []);
    expect(found).toEqual(entries.slice(200, 203));
    expect(rows).toEqual([{ none: true, some: true, few: true }]);
  });
});
