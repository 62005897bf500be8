import { InMemoryKeyValueStore } from "@graviton/memory/key-value-store";
import { StorageError } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { Opening } from "./opening.ts";

const signal = new AbortController().signal;

/** A database that is away at first. */
function lateDatabase() {
  const state = { away: true, closed: 0, opened: 0 };
  const opening = new Opening("Postgres", async () => {
    if (state.away) throw new StorageError("UNAVAILABLE", "no answer from Postgres (ECONNREFUSED)");
    state.opened += 1;
    const keyValues = new InMemoryKeyValueStore();
    const owned = {
      async [Symbol.asyncDispose]() {
        state.closed += 1;
      },
    };
    return { stores: { keyValues }, owned };
  });
  return { state, opening };
}

describe("A backend that is away when the process starts", () => {
  test("makes every call UNAVAILABLE, and says why", async () => {
    const { opening } = lateDatabase();
    const store = opening.store("keyValues");
    expect(() => store.get("a")).toThrow("Postgres is not open yet");
    await expect(opening.check(signal)).rejects.toThrow("ECONNREFUSED");
    expect(() => store.get("a")).toThrow("Postgres is not open yet: no answer from Postgres (ECONNREFUSED)");
    await opening[Symbol.asyncDispose]();
  });

  test("does not keep the process when that has to end, and is closed should it come after all", async () => {
    const come = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const opening = new Opening("Postgres", async () => {
      await come.promise;
      const owned = { [Symbol.asyncDispose]: async () => closed.resolve() };
      return { stores: { keyValues: new InMemoryKeyValueStore() }, owned };
    });
    opening.check(signal).catch(() => {});
    await opening[Symbol.asyncDispose]();
    come.resolve();
    await closed.promise;
  });

  test("is used as soon as it is there, without a restart", async () => {
    const { opening, state } = lateDatabase();
    const store = opening.store("keyValues");
    await expect(opening.check(signal)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    state.away = false;
    await Promise.all([opening.check(signal), opening.check(signal)]);
    await store.put("a", Uint8Array.of(1));
    expect(await store.get("a")).toEqual(Uint8Array.of(1));
    expect(state.opened).toBe(1);
    await opening[Symbol.asyncDispose]();
    expect(state.closed).toBe(1);
  });
});
