import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { blobStoreContract } from "@graviton/conformance/blob-store";
import { blockStoreContract } from "@graviton/conformance/block-store";
import { describeContract } from "@graviton/conformance/describe-contract";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { MemoryBlockDriver } from "./block-driver.ts";
import { InMemoryManifestStore, ManifestStorage } from "./manifest-store.ts";
import { damageBlock, memorySubject } from "./memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryBlockStore",
  storage: () => new Map<string, Uint8Array>(),
  open: (storage) => new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver(storage)),
  damage: damageBlock,
});
describeContract(blockStoreContract, subject);
const blobs = memorySubject({
  name: "CasBlobStore",
  storage: () => ({ blocks: new Map<string, Uint8Array>(), manifests: new ManifestStorage() }),
  open: ({ blocks, manifests }) =>
    new CasBlobStore({
      blocks: new CasBlockStore("B", new MemoryBlockDriver(blocks)),
      manifests: new InMemoryManifestStore(manifests),
    }),
  damage: ({ blocks }, name, how) => damageBlock(blocks, name, how),
});
describeContract(blobStoreContract, blobs);
describeContract(
  blobStoreContract,
  overGrpc(blobs, blobRoutes, (channel) => new RemoteBlobStore(channel)),
);
