import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { keyOf } from "@graviton/cas/hasher";
import { blockStoreContract } from "@graviton/conformance/block-store";
import { freshBytes, freshKey, sha256KeyOf } from "@graviton/conformance/content";
import { eachOf } from "@graviton/conformance/streams";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { damageBlock, memorySubject } from "@graviton/memory/testing/memory-subject";
import type { BlockInput, BlockStore } from "@graviton/ports/block-store";
import type { CallOptions } from "@graviton/ports/call-options";
import { formatKey, type Key, parseKey } from "@graviton/ports/key";
import type { BlockWritePlan } from "@graviton/ports/plan";
import { type Reason, StorageError } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import type { BlockReplica } from "./block-replicas.ts";
import { rank } from "./rendezvous.ts";
import { SpreadBlockStore } from "./spread-block-store.ts";
import { replacing } from "./testing/replacing.ts";

type Blocks = Map<string, Uint8Array>;

describeContract(
  blockStoreContract,
  memorySubject<BlockStore, Blocks>({
    name: "SpreadBlockStore over three replicas of one location",
    storage: () => new Map(),
    open: (storage) => spreadOver(["a", "b", "c"].map((name) => new Node(name, storage, "mem://shared/blocks"))),
    damage: damageBlock,
  }),
);

describeContract(
  blockStoreContract,
  memorySubject<BlockStore, readonly Blocks[]>({
    name: "SpreadBlockStore over three replicas with a location each",
    storage: () => [new Map(), new Map(), new Map()],
    open: (storages) => spreadOver(storages.map((storage, index) => new Node(`replica ${index}`, storage))),
    damage: (storages, name, how) => {
      for (const storage of storages.filter((some) => some.has(name))) damageBlock(storage, name, how);
    },
  }),
);

describe("SpreadBlockStore writes", () => {
  test("keep each block at the replica that is responsible for its key", async () => {
    const nodes = threeNodes();
    await put(spreadOver(nodes), blocksOf(60));
    for (const node of nodes) {
      expect(node.blocks.size).toBeGreaterThan(0);
      for (const name of node.blocks.keys()) expect(first(parseKey(name), nodes)).toBe(node);
    }
  });

  test("go on at the other replicas where one dies among them, and lose none", async () => {
    for (const [dies, reason] of [
      [0, "UNAVAILABLE"],
      [3, "UNAVAILABLE"],
      [3, "EXHAUSTED"],
    ] as const) {
      const nodes = threeNodes();
      nodes[1]?.die(dies, reason);
      const blocks = blocksOf(60);
      const events = await put(spreadOver(nodes), blocks);
      const keys = blocks.map(sha256KeyOf);
      expect(events.flatMap((event) => (event.kind === "stored" ? [event.key] : []))).toEqual(keys);
      expect(events.at(-1)).toMatchObject({
        kind: "manifest",
        entries: keys.map((block, index) => ({ index, block })),
      });
      const kept = keys.filter((key) => nodes.some(({ blocks }) => blocks.has(formatKey(key))));
      expect(kept).toEqual(keys);
    }
  });

  test("go on elsewhere also with blocks that the store has to cut and name", async () => {
    const nodes = threeNodes();
    for (const node of nodes.slice(0, 2)) node.die(2);
    const bytes = freshBytes(9500);
    const plan: BlockWritePlan = { algorithm: "sha256", framing: { kind: "fixed", blockBytes: 1000 } };
    const events = await Array.fromAsync(spreadOver(nodes).putBlocks(plan, eachOf([{ bytes }])));
    const cuts = Array.from({ length: 10 }, (_, index) => bytes.subarray(index * 1000, index * 1000 + 1000));
    expect(events.flatMap((event) => (event.kind === "stored" ? [event.key] : []))).toEqual(cuts.map(sha256KeyOf));
  });

  test("fail once every replica has, with the error that says most", async () => {
    const nodes = threeNodes();
    for (const [index, node] of nodes.entries()) node.die(0, index === 1 ? "UNAVAILABLE" : "EXHAUSTED");
    await expect(put(spreadOver(nodes), blocksOf(5))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("ask a replica once that takes no more, however many blocks are for it", async () => {
    const nodes = threeNodes();
    nodes[1]?.die(0, "EXHAUSTED");
    await put(spreadOver(nodes), blocksOf(200));
    expect(nodes[1]?.calls).toBe(1);
  });

  test("do not wait for a silent replica once a block of another was refused", async () => {
    const nodes = threeNodes();
    const [good, other] = [blockFor(nodes, 1), blockFor(nodes, 0)];
    const wrong = { bytes: freshBytes(1000), key: other.key };
    nodes[1]?.die(0, "silent");
    const events = Array.fromAsync(spreadOver(nodes).putBlocks({}, eachOf([wrong, good])));
    await expect(events).rejects.toMatchObject({ reason: "HASH_MISMATCH" });
    expect(nodes.map(({ open }) => open)).toEqual([0, 0, 0]);
  });

  test("never hold more than the window of blocks that nobody acknowledged", async () => {
    const gate = Promise.withResolvers<void>();
    const node = new Node("slow");
    const slow = replacing<BlockStore>(node.store, {
      putBlocks: (plan, blocks, options) => node.store.putBlocks(plan, after(gate.promise, blocks), options),
    });
    let pulled = 0;
    const source = async function* (): AsyncGenerator<BlockInput> {
      for (const bytes of blocksOf(200)) {
        pulled += 1;
        yield { bytes };
      }
    };
    const store = spreadOver([{ name: "slow", location: undefined, store: slow }]);
    const events = Array.fromAsync(store.putBlocks({}, source()));
    for (let turn = 0; turn < 100; turn += 1) await setImmediate();
    expect(pulled).toBe(64);
    gate.resolve();
    expect(await events).toHaveLength(201);
  });
});

describe("SpreadBlockStore reads", () => {
  test("go on at the other replicas of the location where one dies among them", async () => {
    const nodes = threeNodes({ shared: true });
    const keys = await stored(nodes, 60);
    nodes[1]?.die(3);
    const read = await Array.fromAsync(spreadOver(nodes).getMany([...keys, ...keys]));
    expect(read.map(({ key }) => key)).toEqual([...keys, ...keys]);
    for (const { key, bytes } of read) expect(sha256KeyOf(bytes)).toEqual(key);
    for (const key of keys) expect(sha256KeyOf(await spreadOver(nodes).get(key))).toEqual(key);
  });

  test("ask a replica once that is too busy, however many blocks are its to give", async () => {
    const nodes = threeNodes({ shared: true });
    const keys = await stored(nodes, 60);
    for (const node of nodes) node.calls = 0;
    nodes[1]?.die(0, "EXHAUSTED");
    expect(await Array.fromAsync(spreadOver(nodes).getMany(keys))).toHaveLength(60);
    expect(nodes[1]?.calls).toBe(1);
  });

  test("find blocks where they were kept before another replica became responsible", async () => {
    const nodes = threeNodes();
    const keys = await stored(nodes, 60);
    const grown = spreadOver([...nodes, new Node("d")]);
    expect(await grown.exists(keys)).toEqual(keys.map(() => true));
    expect((await Array.fromAsync(grown.getMany(keys))).map(({ key }) => key)).toEqual(keys);
  });

  test("tell which locations have a block of some, also where another replica stood in", async () => {
    const nodes = threeNodes();
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("there should be three nodes");
    const { bytes, key } = blockFor(nodes, 0);
    await put(spreadOver([b]), [bytes]);
    expect(await spreadOver(nodes).holders([key, freshKey()])).toEqual([b.location ?? b.name]);
    a.die(0);
    expect(await spreadOver(nodes).holders([key])).toEqual([b.location ?? b.name]);
  });

  test("take a good copy of another location for a damaged one", async () => {
    const nodes = threeNodes();
    const key = await keptByAll(nodes);
    damageBlock(first(key, nodes).blocks, formatKey(key), "flipped");
    expect(sha256KeyOf(await spreadOver(nodes).get(key))).toEqual(key);
    expect(await Array.fromAsync(spreadOver(nodes).getMany([key, key]))).toHaveLength(2);
  });

  test("say that a damaged copy is damaged, and not that there is none", async () => {
    const nodes = threeNodes();
    const [key] = await stored(nodes, 1);
    if (key === undefined) throw new Error("a block should be stored");
    damageBlock(first(key, nodes).blocks, formatKey(key), "flipped");
    await expect(spreadOver(nodes).get(key)).rejects.toMatchObject({ reason: "CORRUPT" });
    await expect(Array.fromAsync(spreadOver(nodes).getMany([key]))).rejects.toMatchObject({ reason: "CORRUPT" });
  });

  test("never say that a block is absent while a location cannot be asked", async () => {
    const nodes = threeNodes();
    nodes[0]?.die(0);
    const store = spreadOver(nodes);
    const absent = Array.from({ length: 10 }, () => freshKey());
    for (const key of absent) {
      await expect(store.get(key)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
      await expect(Array.fromAsync(store.getMany([key]))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    }
    await expect(store.exists(absent)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await expect(store.delete(absent)).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("say that a block is absent when every location was asked, by whichever replica", async () => {
    const nodes = threeNodes({ shared: true });
    nodes[0]?.die(0);
    nodes[2]?.die(0);
    const absent = Array.from({ length: 10 }, () => freshKey());
    expect(await spreadOver(nodes).exists(absent)).toEqual(absent.map(() => false));
    for (const key of absent) await expect(spreadOver(nodes).get(key)).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  test("do not ask a second replica of a location that has not the block", async () => {
    const nodes = threeNodes({ shared: true });
    await expect(spreadOver(nodes).get(freshKey())).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect(nodes.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
  });

  test("ask the preferred locations first", async () => {
    const nodes = threeNodes();
    const keys = await Promise.all(Array.from({ length: 20 }, () => keptByAll(nodes)));
    const preferred = spreadOver(nodes).preferring(["mem://c/blocks"]);
    for (const node of nodes) node.calls = 0;
    for (const key of keys) await preferred.get(key);
    await Array.fromAsync(preferred.getMany(keys));
    expect(nodes.map(({ calls }) => calls)).toEqual([0, 0, 21]);
  });

  test("free every stream when their reader stops early", async () => {
    const nodes = threeNodes();
    const keys = await stored(nodes, 200);
    for await (const { key } of spreadOver(nodes).getMany(keys)) {
      expect(key).toEqual(keys[0]);
      break;
    }
    expect(nodes.map(({ open }) => open)).toEqual([0, 0, 0]);
  });

  test("do not wait for a silent replica when their reader stops early", async () => {
    const nodes = threeNodes();
    const keys = (await stored(nodes, 60)).toSorted((a, b) => placeOf(nodes, a) - placeOf(nodes, b));
    const last = keys.findLast((key) => placeOf(nodes, key) === 0);
    nodes[1]?.die(0, "silent");
    for await (const { key } of spreadOver(nodes).getMany(keys)) {
      if (key.digest !== last?.digest) continue;
      expect(nodes[1]?.open).toBe(1);
      break;
    }
    expect(nodes.map(({ open }) => open)).toEqual([0, 0, 0]);
  });
});

describe("SpreadBlockStore", () => {
  test("deletes a block from every location that has it", async () => {
    const nodes = threeNodes();
    const key = await keptByAll(nodes);
    await spreadOver(nodes).delete([key]);
    expect(nodes.map(({ blocks }) => blocks.size)).toEqual([0, 0, 0]);
  });

  test("asks a replica that was unavailable last, until it is forgiven", async () => {
    const nodes = threeNodes({ shared: true });
    const [key] = await stored(nodes, 1);
    if (key === undefined) throw new Error("a block should be stored");
    let clock = 0;
    const store = new SpreadBlockStore({ replicas: () => nodes, none, keyOf, avoidMs: 1000, now: () => clock });
    const responsible = first(key, nodes);
    responsible.die(0);
    const callsOf = async () => {
      const before = responsible.calls;
      await store.get(key);
      return responsible.calls - before;
    };
    expect(await callsOf()).toBe(1);
    clock = 999;
    expect(await callsOf()).toBe(0);
    clock = 1000;
    expect(await callsOf()).toBe(1);
  });

  test("asks a replica that is known to fail only when nobody else is left", async () => {
    const nodes = threeNodes({ shared: true });
    const keys = await stored(nodes, 20);
    for (const node of nodes) node.calls = 0;
    for (const node of nodes.slice(0, 2)) node.failing = true;
    const store = spreadOver(nodes);
    for (const key of keys) await store.get(key);
    await Array.fromAsync(store.getMany(keys));
    await put(store, blocksOf(20));
    expect(nodes.map(({ calls }) => calls)).toEqual([0, 0, 22]);
    nodes[2]?.die(0);
    await store.get(keys[0] as Key);
    expect(nodes.map(({ calls }) => calls).toSorted()).toEqual([0, 1, 23]);
  });

  test("without replicas is UNAVAILABLE, and says what its owner says of that", async () => {
    const store = spreadOver([]);
    const error = { reason: "UNAVAILABLE", message: "no replicas: set REPLICAS" };
    await expect(store.get(freshKey())).rejects.toMatchObject(error);
    await expect(store.exists([freshKey()])).rejects.toMatchObject(error);
    await expect(store.delete([freshKey()])).rejects.toMatchObject(error);
    await expect(Array.fromAsync(store.getMany([freshKey()]))).rejects.toMatchObject(error);
    await expect(put(store, [])).rejects.toMatchObject(error);
  });
});

/** A replica over memory that can be told to fail. */
class Node implements BlockReplica {
  readonly name: string;
  readonly location: string;
  readonly blocks: Blocks;
  readonly store: BlockStore;
  failing = false;
  /** Calls so far. */
  calls = 0;
  /** Streams that have begun and not ended. */
  open = 0;
  #left = Number.POSITIVE_INFINITY;
  #how: Reason | "silent" = "UNAVAILABLE";

  constructor(name: string, blocks: Blocks = new Map(), location = `mem://${name}/blocks`) {
    this.name = name;
    this.location = location;
    this.blocks = blocks;
    const real = new CasBlockStore(name, new MemoryBlockDriver(blocks));
    this.store = replacing<BlockStore>(real, {
      putBlocks: (plan, blocks, options) => this.#stream(options, () => real.putBlocks(plan, blocks, options)),
      getMany: (keys, options) => this.#stream(options, () => real.getMany(keys, options)),
      get: (...args) => this.#answer(() => real.get(...args)),
      exists: (...args) => this.#answer(() => real.exists(...args)),
      delete: (...args) => this.#answer(() => real.delete(...args)),
    });
  }

  /** From now on fails, or says nothing more until it is aborted, after so many items of streams. */
  die(afterItems: number, how: Reason | "silent" = "UNAVAILABLE"): void {
    this.#left = afterItems;
    this.#how = how;
  }

  async #answer<T>(call: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.#left <= 0) await this.#fail();
    return call();
  }

  async *#stream<T>(options: CallOptions | undefined, call: () => AsyncIterable<T>): AsyncGenerator<T, void, void> {
    this.calls += 1;
    this.open += 1;
    try {
      for await (const item of call()) {
        if (this.#left <= 0) await this.#fail(options?.signal);
        this.#left -= 1;
        yield item;
      }
    } finally {
      this.open -= 1;
    }
  }

  async #fail(signal?: AbortSignal): Promise<never> {
    if (this.#how !== "silent") throw new StorageError(this.#how, `${this.name} fails`, { resource: this.name });
    if (signal !== undefined && !signal.aborted) await once(signal, "abort");
    throw new StorageError("CANCELLED", "the call was cancelled");
  }
}

function threeNodes({ shared = false } = {}): Node[] {
  const blocks: Blocks = new Map();
  return ["a", "b", "c"].map((name) => (shared ? new Node(name, blocks, "mem://shared/blocks") : new Node(name)));
}

function spreadOver(replicas: readonly BlockReplica[]): SpreadBlockStore {
  return new SpreadBlockStore({ replicas: () => replicas, none, keyOf });
}

async function* after<T>(gate: Promise<void>, items: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  await gate;
  yield* items;
}

function none(): StorageError {
  return new StorageError("UNAVAILABLE", "no replicas: set REPLICAS");
}

function first(key: Key, nodes: readonly Node[]): Node {
  const [node] = rank(key.digest, nodes);
  if (node === undefined) throw new Error("there should be a replica");
  return node;
}

/** Which of the nodes is responsible for the key. */
function placeOf(nodes: readonly Node[], key: Key): number {
  return nodes.indexOf(first(key, nodes));
}

/** A new block for which just this node is responsible. */
function blockFor(nodes: readonly Node[], place: number): { bytes: Uint8Array; key: Key } {
  for (;;) {
    const bytes = freshBytes(1000);
    const key = sha256KeyOf(bytes);
    if (placeOf(nodes, key) === place) return { bytes, key };
  }
}

function blocksOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => freshBytes(1000));
}

async function put(store: BlockStore, blocks: readonly Uint8Array[]) {
  const inputs = blocks.map((bytes) => ({ bytes, key: sha256KeyOf(bytes) }));
  return Array.fromAsync(store.putBlocks({}, eachOf(inputs)));
}

/** The keys of so many new blocks, each where it belongs. */
async function stored(nodes: readonly Node[], count: number): Promise<Key[]> {
  const blocks = blocksOf(count);
  await put(spreadOver(nodes), blocks);
  return blocks.map(sha256KeyOf);
}

/** The key of a new block that every one of them has. */
async function keptByAll(nodes: readonly Node[]): Promise<Key> {
  const bytes = freshBytes(1000);
  for (const node of nodes) await put(node.store, [bytes]);
  return sha256KeyOf(bytes);
}
