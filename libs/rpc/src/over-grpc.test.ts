import type { Subject } from "@graviton/conformance/contract";
import { memoryCapabilities } from "@graviton/memory/capabilities";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { RemoteKeyValueStore } from "./kv/remote.ts";
import { kvRoutes } from "./kv/routes.ts";
import { overGrpc } from "./over-grpc.ts";

function subject() {
  const opened: KeyValueStore[] = [];
  const damaged: string[] = [];
  const storage = new Map<string, Uint8Array>();
  const local: Subject<KeyValueStore> = {
    name: "InMemoryKeyValueStore",
    capabilities: memoryCapabilities,
    isolated: true,
    damageable: true,
    start: async () => ({
      open: async () => {
        if (opened.length === 2) throw new StorageError("UNAVAILABLE", "two is enough");
        const store = new InMemoryKeyValueStore(storage);
        opened.push(store);
        return store;
      },
      damage: async (name, how) => void damaged.push(`${name} ${how}`),
      [Symbol.asyncDispose]: async () => void damaged.push("disposed"),
    }),
  };
  return { opened, damaged, over: overGrpc(local, kvRoutes, (channel) => new RemoteKeyValueStore(channel)) };
}

test("A subject over gRPC says so in its name and is otherwise the same", () => {
  const { over } = subject();
  expect(over).toMatchObject({
    name: "InMemoryKeyValueStore over gRPC",
    capabilities: memoryCapabilities,
    isolated: true,
    damageable: true,
  });
});

test("Its handles see one storage, through the wire", async () => {
  const { over, opened } = subject();
  await using harness = await over.start();
  await using one = await harness.open();
  await using other = await harness.open();
  await one.put("a", Uint8Array.of(1));
  expect(await other.get("a")).toEqual(Uint8Array.of(1));
  expect(opened).toHaveLength(2);
  expect(opened).not.toContain(one);
});

test("A handle that is disposed, also twice, disposes the store behind it", async () => {
  const { over, opened } = subject();
  await using harness = await over.start();
  const handle = await harness.open();
  await handle[Symbol.asyncDispose]();
  await handle[Symbol.asyncDispose]();
  await expect(opened[0]?.get("a")).rejects.toMatchObject({ reason: "UNAVAILABLE" });
});

test("What keeps the store from opening keeps the handle from opening", async () => {
  const { over } = subject();
  await using harness = await over.start();
  await using _one = await harness.open();
  await using _two = await harness.open();
  await expect(harness.open()).rejects.toMatchObject({ reason: "UNAVAILABLE", message: "two is enough" });
});

test("Damage is done to the storage behind it", async () => {
  const { over, damaged } = subject();
  {
    await using harness = await over.start();
    await harness.damage("a", "lost");
  }
  expect(damaged).toEqual(["a lost", "disposed"]);
});
