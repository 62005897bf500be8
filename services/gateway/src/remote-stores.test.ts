import { kvService } from "@graviton/kv-service/kv-service";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { StorageError } from "@graviton/ports/storage-error";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import { startProcess, type TestProcess } from "@graviton/service/testing/test-process";
import { describe, expect, test } from "@jest/globals";
import { gateway } from "./gateway.ts";
import { openRemoteStores } from "./remote-stores.ts";
import { openUpstreams } from "./upstream.ts";

describe("The stores behind a gateway", () => {
  test("pass a call on to another replica when one of them fails it", async () => {
    const calls = { sick: 0 };
    await using sick = await startProcess(failing(calls, "sick"), {});
    await using well = await startProcess(kvService, { GRAVITON_KV_BACKEND: "memory" });
    await well.ready();
    await using subject = await storesBefore(sick, well);
    for (let call = 0; call < 4; call += 1) expect(await subject.keyValues.get("name")).toBeUndefined();
    expect(calls.sick).toBeGreaterThan(0);
  });

  test("leave it to the client to wait for a service that is in trouble as a whole", async () => {
    const calls = { one: 0, other: 0 };
    await using one = await startProcess(failing(calls, "one"), {});
    await using other = await startProcess(failing(calls, "other"), {});
    await using subject = await storesBefore(one, other);
    await expect(subject.keyValues.get("name")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect(calls).toEqual({ one: 1, other: 1 });
  });
});

/** A kv-service that fails every `get`, and counts them under the name. */
function failing<Name extends string>(calls: Record<Name, number>, name: Name): ServiceDefinition {
  const get = async () => {
    calls[name] += 1;
    throw new StorageError("UNAVAILABLE", "no answer from Postgres");
  };
  return {
    ...kvService,
    async open({ routesOptions }) {
      const store: KeyValueStore = Object.assign(new InMemoryKeyValueStore(), { get });
      return {
        routes: [kvRoutes(store, routesOptions)],
        dependencies: [],
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      };
    },
  };
}

/** What a gateway before these kv-services stands on. It asks nobody how they are. */
async function storesBefore(...kvServices: readonly TestProcess[]) {
  const opened = Promise.withResolvers<ReturnType<typeof openRemoteStores>>();
  const open = async (context: ServiceContext) => {
    const stack = new AsyncDisposableStack();
    opened.resolve(openRemoteStores(openUpstreams(context, stack), context.metrics, stack));
    return { routes: [], dependencies: [], [Symbol.asyncDispose]: () => stack.disposeAsync() };
  };
  const process = await startProcess(
    { ...gateway, open },
    { GRAVITON_KV_SERVICES: kvServices.map(({ address }) => address).join(",") },
  );
  return { ...(await opened.promise), [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}
