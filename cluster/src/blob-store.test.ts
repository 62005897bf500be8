import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import type { Damage, Subject } from "@graviton/conformance/contract";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { BlobStore } from "@graviton/ports/blob-store";
import { parseKey } from "@graviton/ports/key";
import { postgresCapabilities } from "@graviton/postgres/capabilities";
import { PostgresDatabase } from "@graviton/postgres/database";
import { PostgresManifestStore } from "@graviton/postgres/manifest-store";
import { describePostgres } from "@graviton/postgres/testing/describe-postgres";
import type { PostgresServer } from "@graviton/postgres/testing/postgres-server";
import { dropSchema, ownSchema } from "@graviton/postgres/testing/postgres-subject";
import { S3BlockDriver } from "@graviton/s3/block-driver";
import { S3Bucket } from "@graviton/s3/bucket";
import { describeS3, type TestS3 } from "@graviton/s3/testing/describe-s3";
import { flipBlock, type OwnConfig, ownPrefix, withClient } from "@graviton/s3/testing/s3-subject";

describePostgres("Blobs on Postgres", (server) => {
  // The engines differ in blocks, whose contract runs on each of them.
  describeS3("and S3", (s3) => describeContract(blobStoreContract, subjectOn(s3, server)), ["versitygw"]);
});

function subjectOn(s3: () => TestS3, server: () => PostgresServer): Subject<BlobStore> {
  return {
    name: "CasBlobStore over S3 and Postgres",
    capabilities: postgresCapabilities,
    isolated: true,
    damageable: true,
    async start() {
      const config = ownPrefix(s3());
      const schema = ownSchema(server());
      return {
        async open() {
          await using opened = new AsyncDisposableStack();
          const database = opened.use(await PostgresDatabase.open(schema));
          const manifests = opened.use(new PostgresManifestStore(database));
          const blocks = opened.use(new CasBlockStore("S3BlockStore", new S3BlockDriver(S3Bucket.open(config))));
          const blobs = opened.use(new CasBlobStore({ blocks, manifests }));
          const owned = opened.move();
          return Object.assign(blobs, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
        },
        damage: (name, how = "flipped") => damageBlock(config, name, how),
        [Symbol.asyncDispose]: () => dropSchema(schema),
      };
    },
  };
}

/** Removes a block, or flips a bit of it, past the store that checks what it is. */
async function damageBlock(config: OwnConfig, name: string, how: Damage): Promise<void> {
  if (how === "flipped") return withClient(config, (client) => flipBlock(client, config, name));
  await using bucket = S3Bucket.open(config);
  await new S3BlockDriver(bucket).remove(parseKey(name));
}
