import type { BlockInput, BlockStore, PutBlocksEvent, StoredBytes } from "@graviton/ports/block-store";
import { type ByteRange, checkRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, type Key } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import type { ManifestEntry } from "@graviton/ports/manifest";
import { mapInOrder } from "@graviton/ports/map-in-order";
import { type BlockWritePlan, type ResolvedBlockWritePlan, resolveBlockWritePlan } from "@graviton/ports/plan";
import { checkKeys } from "@graviton/ports/presence";
import { isStorageError, type StorageError } from "@graviton/ports/storage-error";
import { type KeyOf, type NamedBlock, namedBlocks } from "./block-input.ts";
import { BlockReads } from "./block-reads.ts";
import { type BlockReplica, BlockReplicas, type BlockReplicasOptions, locationOf } from "./block-replicas.ts";
import { couldNotAsk, mostTelling, ReadFailures } from "./failures.ts";
import { SpreadUpload } from "./spread-upload.ts";
import { Stop } from "./stop.ts";

/**
 * Bytes and number of the blocks that one call holds: sent and not yet acknowledged, or read ahead. What one call needs
 * is the window and one block more.
 */
const windowBytes = 8 * 1024 * 1024;
const windowBlocks = 64;

/** What a {@link SpreadBlockStore} stands on. */
export interface SpreadBlockStoreOptions extends BlockReplicasOptions {
  /** Names the blocks that come without a key: what a block is decides where it goes. */
  readonly keyOf: KeyOf;
}

type Rather = (replica: BlockReplica) => boolean;

/**
 * Spreads blocks over replicas that come and go. Each key has an order of replicas, by rendezvous hash: the first is
 * responsible for it, and the others stand in while it fails, so that a reader or writer notices a failure only when
 * nobody is left.
 *
 * The replicas belong to whoever lists them: dispose ends the calls of this store alone.
 */
export class SpreadBlockStore implements BlockStore {
  readonly #replicas: BlockReplicas;
  readonly #lifetime = new Lifetime("SpreadBlockStore");
  readonly #keyOf: KeyOf;

  constructor({ keyOf, ...options }: SpreadBlockStoreOptions) {
    this.#keyOf = keyOf;
    this.#replicas = new BlockReplicas(options);
  }

  putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options?: CallOptions,
  ): AsyncIterable<PutBlocksEvent> {
    return this.#lifetime.stream(options, () => this.#putBlocks(resolveBlockWritePlan(plan), blocks, options));
  }

  get(key: Key, range: ByteRange = wholeRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#getRather(() => true, key, range, options);
  }

  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#getManyRather(() => true, keys, options);
  }

  /** True where any location has the block. UNAVAILABLE where none has and one could not be asked. */
  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]> {
    return this.#lifetime.run(options, async () => {
      const locations = await this.#askEveryLocation(checkKeys(keys), (store, some) => store.exists(some, options));
      return keys.map((_, index) => {
        const answers = locations.map(({ answers }) => answers[index]);
        if (answers.includes(true)) return true;
        throwMostTelling(answers);
        return false;
      });
    });
  }

  /** Where the replicas that there are now keep their blocks, each place once; the name of one that does not say. */
  get locations(): readonly string[] {
    return this.#replicas.locations();
  }

  /** The locations that have at least one of the blocks, as far as they could be asked. At most `keysPerCallMax` keys. */
  holders(keys: readonly Key[], options?: CallOptions): Promise<string[]> {
    return this.#lifetime.run(options, async () => {
      const ask: Ask = (store, some) => store.exists(some, options);
      const locations = await this.#askEveryLocation(checkKeys(keys), ask);
      return locations.flatMap(({ location, answers }) => (answers.includes(true) ? [location] : []));
    });
  }

  /** Removes the blocks from every location. */
  delete(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const locations = await this.#askEveryLocation(checkKeys(keys), async (store, some) => {
        await store.delete(some, options);
        return some.map(() => true);
      });
      throwMostTelling(locations.flatMap(({ answers }) => answers));
    });
  }

  /**
   * The same store, which reads from replicas of these locations before it asks others. Disposing it does nothing.
   *
   * @param locations texts of locators
   */
  preferring(locations: readonly string[]): BlockStore {
    const rather: Rather = ({ location }) => location !== undefined && locations.includes(location);
    return {
      putBlocks: (plan, blocks, options) => this.putBlocks(plan, blocks, options),
      get: (key, range, options) => this.#getRather(rather, key, range, options),
      getMany: (keys, options) => this.#getManyRather(rather, keys, options),
      exists: (keys, options) => this.exists(keys, options),
      delete: (keys, options) => this.delete(keys, options),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#putBlocks(
    plan: ResolvedBlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options: CallOptions | undefined,
  ): AsyncGenerator<PutBlocksEvent, void, void> {
    this.#replicas.all();
    using stop = new Stop(options?.signal);
    const upload = new SpreadUpload({
      replicas: this.#replicas,
      plan: { algorithm: plan.algorithm, duplicates: plan.duplicates },
      call: { ...options, signal: stop.signal },
    });
    const weigh = ({ bytes }: NamedBlock) => bytes.length;
    const window = { concurrency: windowBlocks, weightMax: windowBytes, weigh };
    const source = namedBlocks(plan, abortable(blocks, callSignal(options)), this.#keyOf);
    const entries: ManifestEntry[] = [];
    let offset = 0;
    try {
      const abort = () => stop.abort();
      for await (const stored of mapInOrder(source, window, (block) => upload.store(block), abort)) {
        entries.push({ index: entries.length, offset, block: stored.key });
        offset += stored.key.size;
        yield stored;
      }
    } finally {
      await upload.close();
    }
    yield { kind: "manifest", entries };
  }

  #getRather(rather: Rather, key: Key, range: ByteRange = wholeRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#lifetime.run(options, async () => {
      return this.#get(checkKey(key), checkRange(range), options, rather, new ReadFailures());
    });
  }

  #getManyRather(rather: Rather, keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#lifetime.stream(options, () => this.#getMany(checkKeys(keys), options, rather));
  }

  /** @param failures those of the replicas that were asked already */
  async #get(
    key: Key,
    range: ByteRange,
    options: CallOptions | undefined,
    rather: Rather,
    failures: ReadFailures,
  ): Promise<Uint8Array> {
    for (const replica of this.#replicas.ordered(key.digest, this.#replicas.all(), rather)) {
      if (!failures.worthAsking(replica)) continue;
      try {
        return await replica.store.get(key, range, options);
      } catch (error) {
        this.#replicas.failed(replica, error);
        failures.add(replica, error);
      }
    }
    throw failures.mostTelling();
  }

  /** One stream from each replica that is responsible for some of the keys; what those do not give is read singly. */
  async *#getMany(
    keys: readonly Key[],
    options: CallOptions | undefined,
    rather: Rather,
  ): AsyncGenerator<StoredBytes, void, void> {
    using stop = new Stop(options?.signal);
    const call = { ...options, signal: stop.signal };
    const replicas = this.#replicas.all();
    const streams = new Map<string, BlockReads>();
    const wanted = keys.map((key) => {
      const replica = this.#replicas.responsible(key.digest, replicas, rather);
      const reads = streams.get(replica.name) ?? new BlockReads(replica, call);
      streams.set(replica.name, reads);
      reads.add(key);
      return { key, reads };
    });
    const read = async ({ key, reads }: (typeof wanted)[number]): Promise<StoredBytes> => {
      const failures = new ReadFailures();
      try {
        const stored = await reads.take();
        if (stored !== undefined) return stored;
      } catch (error) {
        this.#replicas.failed(reads.replica, error);
        failures.add(reads.replica, error);
      }
      return { key, bytes: await this.#get(key, wholeRange, call, rather, failures) };
    };
    const weigh = ({ key }: { readonly key: Key }) => key.size;
    const window = { concurrency: windowBlocks, weightMax: windowBytes, weigh };
    try {
      yield* mapInOrder(wanted, window, read, () => stop.abort());
    } finally {
      await Promise.allSettled([...streams.values()].map((reads) => reads.close()));
    }
  }

  /** The answers of every location for each key, in the order asked; an error where it could not be asked. */
  async #askEveryLocation(keys: readonly Key[], ask: Ask): Promise<LocationAnswers[]> {
    const locations = Map.groupBy(this.#replicas.all(), locationOf);
    return allSettled(
      [...locations].map(async ([location, replicas]) => {
        const answers: Answer[] = [];
        await this.#askLocation(replicas, [...keys.entries()], ask, answers);
        return { location, answers };
      }),
    );
  }

  /** Asks each replica of one location about the keys that it is responsible for, and the others in place of one that fails. */
  async #askLocation(
    replicas: readonly BlockReplica[],
    keys: readonly (readonly [number, Key])[],
    ask: Ask,
    answers: Answer[],
  ): Promise<void> {
    const shares = Map.groupBy(keys, ([, key]) => this.#replicas.responsible(key.digest, replicas));
    const asking = [...shares].map(async ([replica, share]) => {
      const some = share.map(([, key]) => key);
      try {
        const said = await ask(replica.store, some);
        for (const [at, [index]] of share.entries()) answers[index] = said[at] ?? false;
      } catch (error) {
        if (!couldNotAsk(error)) throw error;
        this.#replicas.failed(replica, error);
        const others = replicas.filter((other) => other !== replica);
        if (others.length > 0) await this.#askLocation(others, share, ask, answers);
        else for (const [index] of share) answers[index] = error;
      }
    });
    await allSettled(asking);
  }
}

type Ask = (store: BlockStore, keys: readonly Key[]) => Promise<boolean[]>;

type Answer = boolean | StorageError;

interface LocationAnswers {
  readonly location: string;
  readonly answers: readonly Answer[];
}

function throwMostTelling(answers: readonly (Answer | undefined)[]): void {
  const error = mostTelling(answers.filter(isStorageError));
  if (error !== undefined) throw error;
}

/** As `Promise.all`, but nothing is at work any more when it rejects. */
async function allSettled<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
