import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { InMemoryRangeTracker } from "@graviton/memory/range-tracker";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import { ReplicaIndexService } from "@graviton/proto/graviton/replica/v1/replica_pb";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { replicaRoutes } from "@graviton/rpc/replica/routes";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceDefinition } from "./run-service.ts";
import { askReflection, servicesTold } from "./testing/reflection-client.ts";
import { startProcess, type TestProcess } from "./testing/test-process.ts";

const definition: ServiceDefinition = {
  name: "manifest-service",
  says: "keeps places",
  version: "1.2.3",
  async open() {
    await using opened = new AsyncDisposableStack();
    const routes = [
      replicaRoutes(opened.use(new InMemoryReplicaIndex())),
      rangeRoutes(opened.use(new InMemoryRangeTracker())),
    ];
    const owned = opened.move();
    return { routes, dependencies: [], [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
};

describe("Reflection", () => {
  let process: TestProcess;

  beforeAll(async () => {
    process = await startProcess(definition, {});
  });

  afterAll(async () => {
    await process?.[Symbol.asyncDispose]();
  });

  /** The files that a process gives for a symbol. */
  const filesOf = async (symbol: string) => {
    const answer = await askReflection(process.address, { case: "fileContainingSymbol", value: symbol });
    if (answer.case !== "fileDescriptorResponse") throw new Error(`no file, but ${answer.case}`);
    return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  };

  test("lists every service of a process, and health", async () => {
    expect(await servicesTold(process.address)).toEqual([
      "graviton.range.v1.RangeTrackerService",
      "graviton.replica.v1.ReplicaIndexService",
      "grpc.health.v1.Health",
    ]);
  });

  test("gives the file of a service with all that it imports, so that a client needs no other", async () => {
    const [file, ...imported] = await filesOf(ReplicaIndexService.typeName);
    if (file === undefined) throw new Error("there is no file in the answer");
    const registry = createFileRegistry(file, (name) => imported.find((other) => other.name === name));
    const methods = registry.getService(ReplicaIndexService.typeName)?.methods.map(({ name }) => name);
    expect(methods).toEqual(ReplicaIndexService.methods.map(({ name }) => name));
    expect(registry.getMessage("graviton.core.v1.Key")).toBeDefined();
  });

  test("finds a method, a message, and what is only imported", async () => {
    const files: Record<string, string> = {
      [`${ReplicaIndexService.typeName}.${ReplicaIndexService.methods[0]?.name}`]: "graviton/replica/v1/replica.proto",
      "grpc.health.v1.HealthCheckRequest": "grpc/health/v1/health.proto",
      "graviton.core.v1.Key": "graviton/core/v1/core.proto",
    };
    for (const [symbol, name] of Object.entries(files)) expect((await filesOf(symbol))[0]?.name).toBe(name);
  });

  test("says that it knows nothing of a symbol that there is not", async () => {
    const symbol = "graviton.replica.v1.NoSuchService";
    const answer = await askReflection(process.address, { case: "fileContainingSymbol", value: symbol });
    expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});
