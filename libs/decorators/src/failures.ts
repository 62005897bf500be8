import { isStorageError, type Reason, type StorageError } from "@graviton/ports/storage-error";
import { type BlockReplica, locationOf } from "./block-replicas.ts";

/** Of a replica that could not be asked. Another one may do. */
const unasked: readonly Reason[] = ["UNAVAILABLE", "EXHAUSTED"];

/** Of a location that has no good copy. Another location may. */
const uncopied: readonly Reason[] = ["CORRUPT", "NOT_FOUND"];

/** True for the failure of a replica in whose place another one can be asked. */
export function couldNotAsk(error: unknown): error is StorageError {
  return isStorageError(error) && unasked.includes(error.reason);
}

/** The error that says most: who could not be asked may have had it, and a damaged copy is more than none. */
export function mostTelling(errors: readonly StorageError[]): StorageError | undefined {
  const order = [...unasked, ...uncopied];
  return errors.toSorted((a, b) => order.indexOf(a.reason) - order.indexOf(b.reason))[0];
}

/** What came of asking one replica after another for one block. */
export class ReadFailures {
  readonly #replicas = new Set<string>();
  /** The last word on each location: a replica that was asked counts for those there that could not be. */
  readonly #locations = new Map<string, StorageError>();

  /** Notes a failure. Throws one that is the same wherever one asks. */
  add(replica: BlockReplica, error: unknown): void {
    if (!isStorageError(error) || ![...unasked, ...uncopied].includes(error.reason)) throw error;
    this.#replicas.add(replica.name);
    this.#locations.set(locationOf(replica), error);
  }

  /** Whether to ask the replica would tell anything new. */
  worthAsking(replica: BlockReplica): boolean {
    const known = this.#locations.get(locationOf(replica));
    return !this.#replicas.has(replica.name) && (known === undefined || couldNotAsk(known));
  }

  mostTelling(): StorageError | undefined {
    return mostTelling([...this.#locations.values()]);
  }
}
