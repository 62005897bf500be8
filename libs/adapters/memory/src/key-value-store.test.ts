import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { InMemoryKeyValueStore } from "./key-value-store.ts";
import { memorySubject } from "./testing/memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryKeyValueStore",
  storage: () => new Map<string, Uint8Array>(),
  open: (storage) => new InMemoryKeyValueStore(storage),
});

describeContract(keyValueStoreContract, subject);
describeContract(
  keyValueStoreContract,
  overGrpc(subject, kvRoutes, (channel) => new RemoteKeyValueStore(channel)),
);
