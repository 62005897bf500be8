import { objectStoreContract } from "@graviton/conformance/object-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { InMemoryObjectStore, type StoredObject } from "./object-store.ts";
import { memorySubject } from "./testing/memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryObjectStore",
  storage: () => new Map<string, StoredObject>(),
  open: (storage) => new InMemoryObjectStore(storage),
});

describeContract(objectStoreContract, subject);
describeContract(
  objectStoreContract,
  overGrpc(subject, objectRoutes, (channel) => new RemoteObjectStore(channel)),
);
