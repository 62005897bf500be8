import { manifestStoreContract } from "@graviton/conformance/manifest-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { LevelManifestStore } from "./manifest-store.ts";
import { recordKey } from "./tables.ts";
import { levelSubject } from "./testing/level-subject.ts";

const subject = levelSubject<ManifestStore>(
  "LevelManifestStore",
  (database, close) => new LevelManifestStore(database, close),
  (name) => recordKey("manifests", name),
);

describeContract(manifestStoreContract, subject);
describeContract(
  manifestStoreContract,
  overGrpc(subject, manifestRoutes, (channel) => new RemoteManifestStore(channel)),
);
