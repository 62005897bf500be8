import { held, streamOf } from "@graviton/conformance/streams";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { damageBlock } from "@graviton/memory/testing/memory-subject";
import type { BlockDriver, BlockInput, BlockStore } from "@graviton/ports/block-store";
import { abortError, type CallOptions } from "@graviton/ports/call-options";
import { formatKey, type Key } from "@graviton/ports/key";
import type { BlockWritePlan } from "@graviton/ports/plan";
import { describe, expect, test } from "@jest/globals";
import { CasBlockStore } from "./cas-block-store.ts";
import { keyOf } from "./hasher.ts";

const bytes = Buffer.from("a block");
const key = keyOf("blake3", bytes);
const skip: BlockWritePlan = { duplicates: "skip" };
const rewrite: BlockWritePlan = { duplicates: "rewrite" };

describe("CasBlockStore, for a block that two puts bring at once,", () => {
  test("heals it when one of them rewrites, although the other has found it there", async () => {
    const { store, storage, driver } = onHeldDriver();
    storage.set(formatKey(key), bytes);
    damageBlock(storage, formatKey(key), "flipped");
    expect(await together(store, driver, skip, rewrite)).toEqual(["DUPLICATE", "DUPLICATE"]);
    expect(Buffer.from(await store.get(key))).toEqual(bytes);
  });

  test.each([
    ["both skip duplicates", skip, skip],
    ["the second rewrites", skip, rewrite],
    ["the first rewrites", rewrite, skip],
    ["both rewrite", rewrite, rewrite],
  ])("writes it once when it is new and %s", async (_, first, second) => {
    const { store, driver } = onHeldDriver();
    expect(await together(store, driver, first, second)).toEqual(["FRESH", "DUPLICATE"]);
    expect(driver.writes).toBe(1);
  });

  test("writes it once when it is there and both rewrite", async () => {
    const { store, storage, driver } = onHeldDriver();
    storage.set(formatKey(key), bytes);
    expect(await together(store, driver, rewrite, rewrite)).toEqual(["DUPLICATE", "DUPLICATE"]);
    expect(driver.writes).toBe(1);
  });
});

describe("CasBlockStore over a driver that never answers ends at its deadline", () => {
  const calls: Record<string, (store: BlockStore, options: CallOptions) => Promise<unknown>> = {
    get: (store, options) => store.get(key, undefined, options),
    getMany: (store, options) => Array.fromAsync(store.getMany([key], options)),
    exists: (store, options) => store.exists([key], options),
    delete: (store, options) => store.delete([key], options),
    putBlocks: (store, options) => put(store, skip, options),
  };

  test.each(Object.entries(calls))("%s", async (_, call) => {
    const store = new CasBlockStore("SilentBlockStore", new SilentBlockDriver());
    await expect(call(store, soon())).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });

  test("putBlocks, also while it waits for the source of the blocks", async () => {
    const store = new CasBlockStore("SilentBlockStore", new SilentBlockDriver());
    const silent: AsyncIterable<never> = { [Symbol.asyncIterator]: () => ({ next: () => silence() }) };
    const putting = Array.fromAsync(store.putBlocks(skip, silent, soon()));
    await expect(putting).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });

  test("putBlocks, also while it waits for another put of the same block", async () => {
    const store = new CasBlockStore("SilentBlockStore", new SilentBlockDriver());
    const patient = new AbortController();
    const other = put(store, skip, { signal: patient.signal });
    await expect(put(store, rewrite, soon())).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    patient.abort();
    await expect(other).rejects.toMatchObject({ reason: "CANCELLED" });
  });
});

/** Blocks in memory, behind a driver that answers nothing about presence until it is released. */
class HeldBlockDriver extends MemoryBlockDriver {
  readonly #asked = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  readonly asked = this.#asked.promise;
  readonly release = this.#released.resolve;
  writes = 0;

  override async has(keys: readonly Key[]): Promise<boolean[]> {
    this.#asked.resolve();
    await this.#released.promise;
    return super.has(keys);
  }

  override write(key: Key, bytes: Uint8Array): Promise<void> {
    this.writes += 1;
    return super.write(key, bytes);
  }
}

/** Says nothing, and gives up only when its caller does. */
class SilentBlockDriver implements BlockDriver {
  readonly concurrency = 2;
  has = (_: readonly Key[], signal?: AbortSignal) => silence(signal);
  read = (_: Key, signal?: AbortSignal) => silence(signal);
  write = (_key: Key, _bytes: Uint8Array, signal?: AbortSignal) => silence(signal);
  remove = (_: Key, signal?: AbortSignal) => silence(signal);
  async [Symbol.asyncDispose](): Promise<void> {}
}

function silence(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(abortError(signal)));
  });
}

function soon(): CallOptions {
  return { deadline: Date.now() + 50 };
}

function onHeldDriver() {
  const storage = new Map<string, Uint8Array>();
  const driver = new HeldBlockDriver(storage);
  return { store: new CasBlockStore("HeldBlockStore", driver), storage, driver };
}

/** What became of the block in each of two puts, of which the second comes while the first is at work. */
async function together(store: BlockStore, driver: HeldBlockDriver, first: BlockWritePlan, second: BlockWritePlan) {
  const firstPut = put(store, first);
  await driver.asked;
  // A put that asks for more has begun with what it was given.
  using source = held<BlockInput>([{ bytes }], []);
  const secondPut = put(store, second, {}, source.stream);
  await source.waiting;
  driver.release();
  source.release();
  return Promise.all([firstPut, secondPut]);
}

async function put(
  store: BlockStore,
  plan: BlockWritePlan,
  options?: CallOptions,
  blocks: AsyncIterable<BlockInput> = streamOf({ bytes }),
): Promise<string | undefined> {
  const [stored] = await Array.fromAsync(store.putBlocks(plan, blocks, options));
  return stored?.kind === "stored" ? stored.status : undefined;
}
