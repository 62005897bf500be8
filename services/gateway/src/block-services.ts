import type { BlockReplica } from "@graviton/decorators/block-replicas";
import { type Observer, observed } from "@graviton/decorators/observed";
import type { BlockStore } from "@graviton/ports/block-store";
import { formatLocator } from "@graviton/ports/locator";
import { RemoteBlockStore } from "@graviton/rpc/block/remote";
import type { Replica, Replicas } from "@graviton/rpc/replicas";

/** How long a service has to say where its blocks are, in milliseconds: less than a process has to say that it is ready. */
const locationMsMax = 1000;

/** Asked again this long after it did not say, in milliseconds. */
const askAgainMs = 1000;

/** Asked again this long after it said so, in milliseconds: another process may have come to its address. */
const forgetMs = 30_000;

/** The block services as the stores that share the blocks: each with where it keeps them, once it has said so. */
export class BlockServices {
  readonly #replicas: Replicas;
  readonly #observer: Observer;
  readonly #known = new WeakMap<Replica, BlockService>();

  /** @param observer sees every call to them */
  constructor(replicas: Replicas, observer: Observer) {
    this.#replicas = replicas;
    this.#observer = observer;
  }

  /** Those that are known now. */
  current(): readonly BlockReplica[] {
    return this.#replicas.current().map((replica) => this.#of(replica));
  }

  /** Resolves once each of them has said where its blocks are, or did not answer. */
  async located(): Promise<void> {
    await Promise.all(this.#replicas.current().map((replica) => this.#of(replica).located()));
  }

  #of(replica: Replica): BlockService {
    const known = this.#known.get(replica) ?? new BlockService(replica, this.#observer);
    this.#known.set(replica, known);
    return known;
  }
}

class BlockService implements BlockReplica {
  readonly name: string;
  readonly store: BlockStore;
  readonly #replica: Replica;
  readonly #remote: RemoteBlockStore;
  #location: string | undefined;
  #asking: Promise<void> | undefined;
  #askAt = 0;

  constructor(replica: Replica, observer: Observer) {
    this.#replica = replica;
    this.name = replica.name;
    this.#remote = new RemoteBlockStore(replica.channel);
    this.store = observed(this.#remote, "RemoteBlockStore", observer);
  }

  get failing(): boolean {
    return this.#replica.resting;
  }

  get location(): string | undefined {
    void this.located();
    return this.#location;
  }

  /** Resolves once it has said where its blocks are, or did not answer; at once where that was asked a moment ago. */
  async located(): Promise<void> {
    if (performance.now() < this.#askAt) return;
    this.#asking ??= this.#ask();
    if (this.#location === undefined) await this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const locator = await this.#remote.location({ deadline: Date.now() + locationMsMax });
      this.#location = locator === undefined ? this.name : formatLocator(locator);
      this.#askAt = performance.now() + forgetMs;
    } catch {
      // Until it says so it counts as one with blocks of its own, which is slower and never wrong.
      this.#askAt = performance.now() + askAgainMs;
    } finally {
      this.#asking = undefined;
    }
  }
}
