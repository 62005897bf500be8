import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { LevelKeyValueStore } from "./key-value-store.ts";
import { recordKey } from "./tables.ts";
import { levelSubject } from "./testing/level-subject.ts";

const subject = levelSubject<KeyValueStore>(
  "LevelKeyValueStore",
  (database, close) => new LevelKeyValueStore(database, close),
  (name) => recordKey("pairs", name),
);

describeContract(keyValueStoreContract, subject);
describeContract(
  keyValueStoreContract,
  overGrpc(subject, kvRoutes, (channel) => new RemoteKeyValueStore(channel)),
);
