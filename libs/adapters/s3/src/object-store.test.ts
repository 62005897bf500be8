import { objectStoreContract } from "@graviton/conformance/object-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { test } from "@jest/globals";
import { S3ObjectStore } from "./object-store.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { s3Subject } from "./testing/s3-subject.ts";

/** MinIO makes the writer of an object wait for its readers, and this clause reads no further until it has written. */
const readersStopWriters = "A reader sees one version of the object to the end, also while it is replaced or deleted.";

describeS3("S3ObjectStore", (s3, kind) => {
  const subject = s3Subject<MutableObjectStore>(s3, {
    name: "S3ObjectStore",
    open: (bucket, close) => new S3ObjectStore(bucket, { close }),
  });
  const holds = (says: string) => kind !== "minio" || says !== readersStopWriters;
  const contract = { ...objectStoreContract, clauses: objectStoreContract.clauses.filter(({ says }) => holds(says)) };

  describeContract(contract, subject);
  // What the wire does with the store is the same on every engine.
  if (kind !== "minio") {
    describeContract(
      contract,
      overGrpc(subject, objectRoutes, (channel) => new RemoteObjectStore(channel)),
    );
  }
  if (!holds(readersStopWriters)) test.skip(`${readersStopWriters} (MinIO makes writers wait for readers)`, () => {});
});
