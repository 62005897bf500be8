import type { BlockStored } from "@graviton/ports/block-store";
import { abortError, type CallOptions } from "@graviton/ports/call-options";
import type { BlockWritePlan } from "@graviton/ports/plan";
import { StorageError } from "@graviton/ports/storage-error";
import type { NamedBlock } from "./block-input.ts";
import { BlockLane, type SentBlock } from "./block-lane.ts";
import type { BlockReplica, BlockReplicas } from "./block-replicas.ts";
import { couldNotAsk, mostTelling } from "./failures.ts";

/** What an upload sends its blocks with. */
export interface SpreadUploadOptions {
  readonly replicas: BlockReplicas;
  /** With framing `whole`. */
  readonly plan: BlockWritePlan;
  /** With a signal, which its owner aborts to end the upload before its time. */
  readonly call: CallOptions & { readonly signal: AbortSignal };
}

/**
 * Sends each block to the replica that is responsible for it, all replicas at once. The blocks that one which fails has
 * not acknowledged go to the next in their order.
 */
export class SpreadUpload {
  readonly #options: SpreadUploadOptions;
  readonly #lanes = new Map<string, BlockLane>();
  /** Names of those that failed in this upload: they get no more blocks while there is another. */
  readonly #failed = new Set<string>();

  constructor(options: SpreadUploadOptions) {
    this.#options = options;
  }

  /**
   * Resolves once a replica has the block.
   *
   * @throws StorageError that of the block, or when no replica could take it the most telling of theirs
   */
  store(input: NamedBlock): Promise<BlockStored> {
    const { promise, resolve, reject } = Promise.withResolvers<BlockStored>();
    this.#send({ input, stored: resolve, refused: reject, tried: new Set(), errors: [] });
    return promise;
  }

  /** Ends the calls to the replicas, and waits for that. */
  async close(): Promise<void> {
    while (this.#lanes.size > 0) {
      const lanes = [...this.#lanes.values()];
      for (const lane of lanes) lane.close();
      await Promise.all(lanes.map(({ over }) => over));
    }
  }

  #send(block: SentBlock): void {
    try {
      const { signal } = this.#options.call;
      if (signal.aborted) throw abortError(signal);
      const replica = this.#next(block);
      if (replica === undefined) throw mostTelling(block.errors);
      block.tried.add(replica.name);
      this.#laneTo(replica).send(block);
    } catch (error) {
      block.refused(error);
    }
  }

  #next({ input, tried }: SentBlock): BlockReplica | undefined {
    const { replicas } = this.#options;
    const untried = replicas.all().filter(({ name }) => !tried.has(name));
    const [first] = replicas.ordered(input.key.digest, untried, ({ name }) => !this.#failed.has(name));
    return first;
  }

  #laneTo(replica: BlockReplica): BlockLane {
    const { plan, call } = this.#options;
    const open = this.#lanes.get(replica.name);
    if (open !== undefined) return open;
    const lane = new BlockLane(replica, plan, call);
    this.#lanes.set(replica.name, lane);
    lane.over.then((failure) => this.#ended(lane, failure));
    return lane;
  }

  #ended(lane: BlockLane, failure: { readonly error: unknown } | undefined): void {
    const { name } = lane.replica;
    this.#lanes.delete(name);
    if (failure === undefined && lane.unacknowledged.length === 0) return;
    const error = failure === undefined ? endedEarly(name) : failure.error;
    this.#options.replicas.failed(lane.replica, error);
    this.#failed.add(name);
    for (const block of lane.unacknowledged) {
      if (couldNotAsk(error)) {
        block.errors.push(error);
        this.#send(block);
      } else block.refused(error);
    }
  }
}

function endedEarly(name: string): StorageError {
  return new StorageError("UNAVAILABLE", `${name} ended the call before it stored every block`, { resource: name });
}
