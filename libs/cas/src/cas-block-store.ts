import type {
  BlockDriver,
  BlockInput,
  BlockStore,
  BlockStored,
  PutBlocksEvent,
  StoredBytes,
} from "@graviton/ports/block-store";
import { type ByteRange, resolveRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, formatKey, type Key, keysEqual } from "@graviton/ports/key";
import { abortable, Lifetime, unlessAborted } from "@graviton/ports/lifetime";
import { blockBytesMax, blocksPerPutMax } from "@graviton/ports/limits";
import type { ManifestEntry } from "@graviton/ports/manifest";
import { mapInOrder } from "@graviton/ports/map-in-order";
import { type BlockWritePlan, type ResolvedBlockWritePlan, resolveBlockWritePlan } from "@graviton/ports/plan";
import { checkKeys } from "@graviton/ports/presence";
import { StorageError } from "@graviton/ports/storage-error";
import { chunked } from "./chunkers/chunker.ts";
import { keyOf } from "./hasher.ts";

/** Bytes of blocks at work at once in one call, read ahead or being written. */
const windowBytes = 8 * 1024 * 1024;

/**
 * Makes a {@link BlockStore} of any technology that keeps blocks by key: names and verifies every block on the way in
 * and on the way out, holds the limits, and keeps several blocks at work at once.
 */
export class CasBlockStore implements BlockStore {
  readonly #driver: BlockDriver;
  readonly #lifetime: Lifetime;
  readonly #writing = new Map<string, Promise<Outcome>>();

  /** @param name what errors call the store; @param driver owned: disposed with the store */
  constructor(name: string, driver: BlockDriver) {
    this.#driver = driver;
    this.#lifetime = new Lifetime(name, async () => driver[Symbol.asyncDispose]());
  }

  putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options?: CallOptions,
  ): AsyncIterable<PutBlocksEvent> {
    return this.#lifetime.stream(options, () =>
      this.#putBlocks(resolveBlockWritePlan(plan), blocks, callSignal(options)),
    );
  }

  get(key: Key, range: ByteRange = wholeRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#lifetime.run(options, async () => {
      const { start, end } = resolveRange(range, checkKey(key).size, formatKey(key));
      const bytes = await this.#read(key, callSignal(options));
      return bytes.subarray(start, end);
    });
  }

  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#lifetime.stream(options, () => {
      const signal = callSignal(options);
      const window = { concurrency: this.#driver.concurrency, weightMax: windowBytes, weigh: (key: Key) => key.size };
      return mapInOrder(checkKeys(keys), window, async (key) => {
        return { key, bytes: await this.#read(key, signal) };
      });
    });
  }

  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]> {
    return this.#lifetime.run(options, async () => this.#driver.has(checkKeys(keys), callSignal(options)));
  }

  delete(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const signal = callSignal(options);
      const window = { concurrency: this.#driver.concurrency };
      const removals = mapInOrder(checkKeys(keys), window, (key) => this.#driver.remove(key, signal));
      for await (const _ of removals);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#putBlocks(
    plan: ResolvedBlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<PutBlocksEvent, void, void> {
    const source = checked(plan, abortable(framed(plan, blocks), signal));
    const window = {
      concurrency: this.#driver.concurrency,
      weightMax: windowBytes,
      weigh: ({ bytes }: Named) => bytes.length,
    };
    const entries: ManifestEntry[] = [];
    let offset = 0;
    for await (const stored of mapInOrder(source, window, (block) => this.#store(plan, block, signal))) {
      entries.push({ index: entries.length, offset, block: stored.key });
      offset += stored.key.size;
      yield stored;
    }
    yield { kind: "manifest", entries };
  }

  async #store(
    plan: ResolvedBlockWritePlan,
    { key, bytes }: Named,
    signal: AbortSignal | undefined,
  ): Promise<BlockStored> {
    const name = formatKey(key);
    for (let other = this.#writing.get(name); other !== undefined; other = this.#writing.get(name)) {
      if (isEnough(await unlessAborted(other, signal), plan)) return { kind: "stored", key, status: "DUPLICATE" };
    }
    const outcome = Promise.withResolvers<Outcome>();
    this.#writing.set(name, outcome.promise);
    try {
      const added = await this.#put(plan, key, bytes, signal);
      outcome.resolve(added || isRewrite(plan) ? "written" : "found");
      return { kind: "stored", key, status: added ? "FRESH" : "DUPLICATE" };
    } catch (error) {
      outcome.resolve("failed");
      throw error;
    } finally {
      this.#writing.delete(name);
    }
  }

  /** Whether the block was not there. */
  async #put(
    plan: ResolvedBlockWritePlan,
    key: Key,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (!isRewrite(plan) && this.#driver.add !== undefined) return this.#driver.add(key, bytes, signal);
    const [present] = await this.#driver.has([key], signal);
    if (!present || isRewrite(plan)) await this.#driver.write(key, bytes, signal);
    return !present;
  }

  async #read(key: Key, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const name = formatKey(key);
    const bytes = await this.#driver.read(key, signal);
    if (bytes === undefined) {
      throw new StorageError("NOT_FOUND", `block ${name} is not stored`, { resource: name });
    }
    if (!keysEqual(keyOf(key.algorithm, bytes), key)) {
      throw new StorageError("CORRUPT", `block ${name} is damaged: its stored bytes do not hash to its key`, {
        resource: name,
      });
    }
    return bytes;
  }
}

interface Named {
  readonly key: Key;
  readonly bytes: Uint8Array;
}

/** What became of a block in a put that had it in hand. One that was found there may be damaged: nobody read it. */
type Outcome = "written" | "found" | "failed";

/** Whether that leaves nothing to do for another put of the same block. */
function isEnough(outcome: Outcome, plan: ResolvedBlockWritePlan): boolean {
  return outcome === "written" || (outcome === "found" && !isRewrite(plan));
}

function isRewrite({ duplicates }: ResolvedBlockWritePlan): boolean {
  return duplicates === "rewrite";
}

/** The input cut into blocks as the plan's framing says. */
async function* framed(plan: ResolvedBlockWritePlan, blocks: AsyncIterable<BlockInput>): AsyncGenerator<BlockInput> {
  if (plan.framing.kind === "whole") {
    yield* blocks;
    return;
  }
  const cuts = chunked({ kind: "fixed", blockBytes: plan.framing.blockBytes }, bytesOf(blocks));
  for await (const bytes of cuts) yield { bytes, owned: true };
}

async function* bytesOf(blocks: AsyncIterable<BlockInput>): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    if (block.key !== undefined) {
      throw new StorageError("INVALID_ARGUMENT", "a stream that the store cuts cannot say the keys of its pieces");
    }
    yield block.bytes;
  }
}

/** Each block with its true name, in memory that nobody else writes to. */
async function* checked(plan: ResolvedBlockWritePlan, blocks: AsyncIterable<BlockInput>): AsyncGenerator<Named> {
  let count = 0;
  for await (const block of blocks) {
    count += 1;
    if (count > blocksPerPutMax) {
      throw new StorageError("TOO_LARGE", `more blocks in one call than blocksPerPutMax, ${blocksPerPutMax}`);
    }
    yield named(plan, block);
  }
}

function named(plan: ResolvedBlockWritePlan, { bytes, key: claimed, owned }: BlockInput): Named {
  if (bytes.length === 0) throw new StorageError("INVALID_ARGUMENT", "a block has at least 1 byte");
  if (bytes.length > blockBytesMax) {
    throw new StorageError("TOO_LARGE", `a block of ${bytes.length} bytes is over blockBytesMax, ${blockBytesMax}`);
  }
  if (claimed !== undefined) checkKey(claimed);
  const key = keyOf(claimed?.algorithm ?? plan.algorithm, bytes);
  if (claimed !== undefined && !keysEqual(claimed, key)) {
    throw new StorageError("HASH_MISMATCH", `a block claimed to be ${formatKey(claimed)} is ${formatKey(key)}`, {
      resource: formatKey(claimed),
    });
  }
  return { key, bytes: owned ? bytes : Buffer.from(bytes) };
}
