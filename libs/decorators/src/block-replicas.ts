import type { BlockStore } from "@graviton/ports/block-store";
import { hasReason, type StorageError } from "@graviton/ports/storage-error";
import { rank } from "./rendezvous.ts";

/** One of the block stores that share the keys. */
export interface BlockReplica {
  /** Its address, `host:port`: what is hashed. Different for each. */
  readonly name: string;
  /**
   * The text of the locator under which it keeps its blocks. Those with the same one see the same blocks. Undefined for
   * one that does not say, and is taken to be alone with its blocks.
   */
  readonly location: string | undefined;
  /** Whether it is known not to answer: the others are asked before it. */
  readonly failing?: boolean;
  /** Belongs to whoever lists the replica. */
  readonly store: BlockStore;
}

/** Which replicas there are. */
export interface BlockReplicasOptions {
  /** Those there are now; asked again and again. */
  readonly replicas: () => readonly BlockReplica[];
  /** What to fail with when there are none: an UNAVAILABLE that names the setting. */
  readonly none: () => StorageError;
  /** How long a replica that was UNAVAILABLE is asked last, in milliseconds; 1 s when absent. */
  readonly avoidMs?: number | undefined;
  /** Milliseconds on a clock that never goes back; `performance.now` when absent. */
  readonly now?: (() => number) | undefined;
}

const avoidMsDefault = 1000;

/** The replicas in the order in which to ask them. */
export class BlockReplicas {
  readonly #replicas: () => readonly BlockReplica[];
  readonly #none: () => StorageError;
  readonly #avoidMs: number;
  readonly #now: () => number;
  /** Names of those that were UNAVAILABLE of late, and until when that is held against them. */
  readonly #avoided = new Map<string, number>();

  constructor({ replicas, none, avoidMs = avoidMsDefault, now = () => performance.now() }: BlockReplicasOptions) {
    this.#replicas = replicas;
    this.#none = none;
    this.#avoidMs = avoidMs;
    this.#now = now;
  }

  /** @throws StorageError what `none` gives, when there are no replicas */
  all(): readonly BlockReplica[] {
    const replicas = this.#replicas();
    if (replicas.length === 0) throw this.#none();
    return replicas;
  }

  /** Where their blocks are, each place once; none when there are no replicas. */
  locations(): string[] {
    return [...new Set(this.#replicas().map(locationOf))];
  }

  /**
   * By rank for the key, but those that fail or were UNAVAILABLE of late after the others.
   *
   * @param key what is hashed beside the names: a digest
   * @param rather those to ask before the others
   */
  ordered(
    key: string,
    replicas: readonly BlockReplica[],
    rather: (replica: BlockReplica) => boolean = () => true,
  ): BlockReplica[] {
    this.#forgive();
    const fails = ({ name, failing = false }: BlockReplica) => failing || this.#avoided.has(name);
    const ranked = rank(key, replicas).map((replica) => ({
      replica,
      handicap: (fails(replica) ? 2 : 0) + (rather(replica) ? 0 : 1),
    }));
    return ranked.sort((a, b) => a.handicap - b.handicap).map(({ replica }) => replica);
  }

  /**
   * The first in that order.
   *
   * @throws StorageError what `none` gives, when there are no replicas
   */
  responsible(
    key: string,
    replicas: readonly BlockReplica[],
    rather?: (replica: BlockReplica) => boolean,
  ): BlockReplica {
    const [first] = this.ordered(key, replicas, rather);
    if (first === undefined) throw this.#none();
    return first;
  }

  /** Holds it against a replica if this is UNAVAILABLE. */
  failed(replica: BlockReplica, error: unknown): void {
    if (hasReason(error, "UNAVAILABLE")) this.#avoided.set(replica.name, this.#now() + this.#avoidMs);
  }

  #forgive(): void {
    for (const [name, until] of this.#avoided) {
      if (until <= this.#now()) this.#avoided.delete(name);
    }
  }
}

/** Names where a replica keeps its blocks. */
export function locationOf(replica: BlockReplica): string {
  return replica.location ?? replica.name;
}
