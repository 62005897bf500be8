import type { BlockInput, BlockStored } from "@graviton/ports/block-store";
import type { CallOptions } from "@graviton/ports/call-options";
import type { BlockWritePlan } from "@graviton/ports/plan";
import type { StorageError } from "@graviton/ports/storage-error";
import type { NamedBlock } from "./block-input.ts";
import type { BlockReplica } from "./block-replicas.ts";

/** A block on its way, held until a replica has acknowledged it. */
export interface SentBlock {
  readonly input: NamedBlock;
  /** Names of the replicas that it was sent to. */
  readonly tried: Set<string>;
  /** What became of those that did not acknowledge it. */
  readonly errors: StorageError[];
  /** Called once it is durable. */
  stored(event: BlockStored): void;
  /** Called when it will not be. */
  refused(error: unknown): void;
}

/** One `putBlocks` call to one replica, whose input goes on for as long as there are blocks for it. */
export class BlockLane {
  readonly replica: BlockReplica;
  /** Settles when the call is over, with what made it end before its time. */
  readonly over: Promise<{ readonly error: unknown } | undefined>;
  readonly #waiting: SentBlock[] = [];
  readonly #unacknowledged: SentBlock[] = [];
  #pull: PromiseWithResolvers<IteratorResult<BlockInput>> | undefined;
  #closed = false;

  constructor(replica: BlockReplica, plan: BlockWritePlan, options: CallOptions) {
    this.replica = replica;
    this.over = this.#run(plan, options);
  }

  /** Those that the replica has not acknowledged, in the order sent. */
  get unacknowledged(): readonly SentBlock[] {
    return this.#unacknowledged;
  }

  send(block: SentBlock): void {
    this.#unacknowledged.push(block);
    this.#waiting.push(block);
    this.#feed();
  }

  /** No more blocks. */
  close(): void {
    this.#closed = true;
    this.#feed();
  }

  async #run(plan: BlockWritePlan, options: CallOptions): Promise<{ readonly error: unknown } | undefined> {
    try {
      for await (const event of this.replica.store.putBlocks(plan, this.#inputs(), options)) {
        if (event.kind === "stored") this.#unacknowledged.shift()?.stored(event);
      }
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  /** No generator, since that could not be closed while it waits for the next block. */
  #inputs(): AsyncIterable<BlockInput> {
    const next = () => {
      this.#pull = Promise.withResolvers();
      const { promise } = this.#pull;
      this.#feed();
      return promise;
    };
    const close = async () => {
      this.close();
      return { done: true as const, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: close }) };
  }

  #feed(): void {
    if (this.#pull === undefined) return;
    const block = this.#waiting.shift();
    if (block !== undefined) this.#pull.resolve({ done: false, value: block.input });
    else if (this.#closed) this.#pull.resolve({ done: true, value: undefined });
    else return;
    this.#pull = undefined;
  }
}
