import type { StoredBytes } from "@graviton/ports/block-store";
import type { CallOptions } from "@graviton/ports/call-options";
import { type Key, keysEqual } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";
import type { BlockReplica } from "./block-replicas.ts";
import { couldNotAsk } from "./failures.ts";

/** The blocks that one replica is asked for in one stream. It ends with its first failure, whose it may be. */
export class BlockReads {
  readonly replica: BlockReplica;
  readonly #options: CallOptions;
  readonly #keys: Key[] = [];
  #stream: AsyncIterator<StoredBytes> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #next = 0;
  #end: { readonly error: StorageError | undefined } | undefined;

  constructor(replica: BlockReplica, options: CallOptions) {
    this.replica = replica;
    this.#options = options;
  }

  /** One more block to ask for. Only before the first `take`. */
  add(key: Key): void {
    this.#keys.push(key);
  }

  /**
   * The next of the blocks, or undefined where the stream ended before it without saying anything about it.
   *
   * @throws StorageError that of the block, or that of a replica which could not be asked
   */
  take(): Promise<StoredBytes | undefined> {
    const taken = this.#turn.then(() => this.#take());
    this.#turn = taken.catch(() => {});
    return taken;
  }

  /** Frees the stream. One that gave everything ends by itself, instead of being cancelled at the last moment. */
  async close(): Promise<void> {
    const complete = this.#end === undefined && this.#next === this.#keys.length;
    this.#end ??= { error: undefined };
    if (complete) await this.#stream?.next();
    await this.#stream?.return?.();
  }

  async #take(): Promise<StoredBytes | undefined> {
    if (this.#end?.error !== undefined) throw this.#end.error;
    if (this.#end !== undefined) return undefined;
    const key = this.#keys[this.#next++];
    try {
      this.#stream ??= this.replica.store.getMany(this.#keys, this.#options)[Symbol.asyncIterator]();
      const step = await this.#stream.next();
      if (!step.done && key !== undefined && keysEqual(step.value.key, key)) return step.value;
      const { name } = this.replica;
      throw new StorageError("UNAVAILABLE", `${name} left a block out that it was asked for`, { resource: name });
    } catch (error) {
      this.#end = { error: couldNotAsk(error) ? error : undefined };
      throw error;
    }
  }
}
