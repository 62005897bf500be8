import { kvService } from "@graviton/kv-service/kv-service";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { StorageError } from "@graviton/ports/storage-error";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import type { ServiceContext, ServiceDefinition } from "@graviton/service/run-service";
import { startProcess } from "@graviton/service/testing/test-process";
import { expect, test } from "@jest/globals";
import { gateway } from "./gateway.ts";
import { Upstream } from "./upstream.ts";

test("A replica that answers, and lacks what it needs, gets no calls while another one serves", async () => {
  await using sick = await startProcess(withoutPostgres, {});
  await using well = await startProcess(kvService, { GRAVITON_KV_BACKEND: "memory" });
  await well.ready();
  await using subject = await upstreamOf([sick.address, well.address]);
  const { check, replicas } = subject.upstream;
  const patience = AbortSignal.timeout(10_000);
  const resting = () => replicas.current().flatMap(({ name, resting }) => (resting ? [name] : []));
  while (!resting().includes(sick.address)) await check(patience);
  await using pairs = new RemoteKeyValueStore(replicas.channel);
  for (let value = 0; value < 4; value += 1) {
    await pairs.compareAndSwap(`key ${value}`, undefined, Uint8Array.of(value));
    await check(patience);
  }
  expect(resting()).toEqual([sick.address]);
});

/** A kv-service that answers everybody, and cannot reach its Postgres. */
const withoutPostgres: ServiceDefinition = {
  ...kvService,
  async open({ routesOptions }) {
    const away = async () => {
      throw new StorageError("UNAVAILABLE", "no answer from Postgres");
    };
    const store: KeyValueStore = Object.assign(new InMemoryKeyValueStore(), { compareAndSwap: away });
    return {
      routes: [kvRoutes(store, routesOptions)],
      dependencies: [{ name: "Postgres", check: away }],
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  },
};

/** An upstream of a process that asks it nothing by itself. */
async function upstreamOf(addresses: readonly string[]) {
  const opened = Promise.withResolvers<Upstream>();
  const open = async (context: ServiceContext) => {
    const upstream = new Upstream({ name: "kv-service", addresses, variable: "GRAVITON_KV_SERVICES" }, context);
    opened.resolve(upstream);
    return { routes: [], dependencies: [], [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose]() };
  };
  const process = await startProcess({ ...gateway, open }, {});
  return { upstream: await opened.promise, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}
