import { manifestStoreContract } from "@graviton/conformance/manifest-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { RemoteManifestStore } from "@graviton/rpc/manifest/remote";
import { manifestRoutes } from "@graviton/rpc/manifest/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { InMemoryManifestStore, ManifestStorage } from "./manifest-store.ts";
import { memorySubject } from "./testing/memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryManifestStore",
  storage: () => new ManifestStorage(),
  open: (storage) => new InMemoryManifestStore(storage),
});

describeContract(manifestStoreContract, subject);
describeContract(
  manifestStoreContract,
  overGrpc(subject, manifestRoutes, (channel) => new RemoteManifestStore(channel)),
);
