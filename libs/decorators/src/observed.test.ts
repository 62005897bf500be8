import { AsyncLocalStorage } from "node:async_hooks";
import { utf8 } from "@graviton/conformance/content";
import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import { memorySubject } from "@graviton/memory/testing/memory-subject";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { describe, expect, test } from "@jest/globals";
import { type Observer, observed } from "./observed.ts";
import { replacing } from "./testing/replacing.ts";

describeContract(
  keyValueStoreContract,
  memorySubject<KeyValueStore, Map<string, Uint8Array>>({
    name: "observed, over memory",
    storage: () => new Map(),
    open: (storage) => observed(new InMemoryKeyValueStore(storage), "memory", new Notes()),
  }),
);

describe("observed", () => {
  test("tells of each call which store and method it is, and how it went", async () => {
    const notes = new Notes();
    const store = observed(new InMemoryKeyValueStore(), "memory", notes);
    await store.put("key", utf8("value"));
    await expect(store.compareAndSwap("key", undefined, undefined)).rejects.toMatchObject({ reason: "CONFLICT" });
    expect(notes.ended).toEqual(["memory put ok", "memory compareAndSwap CONFLICT"]);
  });

  test("calls INTERNAL what no store throws on purpose", async () => {
    const notes = new Notes();
    const bug = new TypeError("a bug");
    const failing = replacing<KeyValueStore>(new InMemoryKeyValueStore(), {
      get: () => Promise.reject(bug),
      put: () => {
        throw bug;
      },
    });
    const store = observed(failing, "memory", notes);
    await expect(store.get("key")).rejects.toBe(bug);
    expect(() => store.put("key", utf8("value"))).toThrow(bug);
    expect(notes.ended).toEqual(["memory get INTERNAL", "memory put INTERNAL"]);
  });

  test("ends a stream once, whether it is read, fails, is closed early, or is closed unread", async () => {
    const notes = new Notes();
    const store = observed(new InMemoryKeyValueStore(), "memory", notes);
    for (const key of ["a", "b"]) await store.put(key, utf8(key));
    notes.ended.length = 0;

    expect(await Array.fromAsync(store.scan({}), ({ key }) => key)).toEqual(["a", "b"]);
    await expect(Array.fromAsync(store.scan({ limit: 0 }))).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
    for await (const { key } of store.scan({})) if (key === "a") break;
    const unread = store.scan({})[Symbol.asyncIterator]();
    await unread.return?.();
    await unread.return?.();
    expect(notes.ended).toEqual(["memory scan ok", "memory scan INVALID_ARGUMENT", "memory scan ok", "memory scan ok"]);
  });

  test("calls a stream CANCELLED whose reader left because its signal aborted", async () => {
    const notes = new Notes();
    const store = observed(new InMemoryKeyValueStore(), "memory", notes);
    await store.put("key", utf8("value"));
    const caller = new AbortController();
    for await (const _ of store.scan({}, { signal: caller.signal })) {
      caller.abort();
      break;
    }
    expect(notes.ended.at(-1)).toBe("memory scan CANCELLED");
  });

  test("runs each step of a call in the context of its observation", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const store = observed(
      replacing<KeyValueStore>(new InMemoryKeyValueStore(), {
        async get() {
          await null;
          seen.push(context.getStore());
          return undefined;
        },
        async *scan() {
          seen.push(context.getStore());
          yield { key: "key", value: utf8("value") };
          seen.push(context.getStore());
        },
      }),
      "memory",
      { begin: ({ method }) => ({ run: (step) => context.run(method, step), end: () => {} }) },
    );
    await store.get("key");
    await Array.fromAsync(store.scan({}));
    expect(seen).toEqual(["get", "scan", "scan"]);
  });
});

/** What ended, in words. */
class Notes implements Observer {
  readonly ended: string[] = [];

  begin({ store, method }: { store: string; method: string }) {
    return { end: (outcome: string) => void this.ended.push(`${store} ${method} ${outcome}`) };
  }
}
