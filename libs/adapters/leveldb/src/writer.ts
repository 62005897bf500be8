import { groupBytesMax, groupUpdatesMax } from "./limits.ts";
import { unsealed } from "./stored-value.ts";
import type { Change, Update } from "./update.ts";

/** What a {@link Writer} writes to. */
export interface WriteTarget {
  /** The stored values of keys. */
  read(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
  /** Makes all changes durable, or none. */
  write(changes: readonly Change[]): Promise<void>;
}

interface Pending {
  readonly update: Update;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs updates one after the other, and makes all that wait durable by one flush: a flush costs the same for one update
 * and for a thousand. Each caller gets its answer after the flush that covers its update.
 */
export class Writer {
  readonly #target: WriteTarget;
  readonly #queue: Pending[] = [];
  #running: Promise<void> | undefined;

  constructor(target: WriteTarget) {
    this.#target = target;
  }

  /** Resolves once the update's changes are durable. */
  update(update: Update): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ update, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Resolves once nothing is waiting. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Those who ask in the same moment share the first batch too.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
  }

  #take(): Pending[] {
    const alone = this.#queue.findIndex(({ update }) => update.alone === true);
    const count = alone === -1 ? groupUpdatesMax : Math.max(1, Math.min(alone, groupUpdatesMax));
    return this.#queue.splice(0, count);
  }

  async #commit(group: Pending[]): Promise<void> {
    let decided: Pending[] = group;
    try {
      const stored = await this.#read(group);
      const batch = new Batch(stored);
      decided = this.#decide(group, batch);
      if (batch.changes.length > 0) await this.#target.write(batch.changes);
      for (const { resolve } of decided) resolve();
    } catch (error) {
      for (const { reject } of decided) reject(error);
    }
  }

  async #read(group: readonly Pending[]): Promise<Map<string, Buffer | undefined>> {
    const keys = new Map(group.flatMap(({ update }) => update.reads?.() ?? []).map((key) => [nameOf(key), key]));
    if (keys.size === 0) return new Map();
    const values = await this.#target.read([...keys.values()]);
    return new Map([...keys.keys()].map((name, index) => [name, values[index]]));
  }

  /** Lets the updates decide, as many as fit in one batch; the others go back to the head of the queue. */
  #decide(group: readonly Pending[], batch: Batch): Pending[] {
    const decided: Pending[] = [];
    for (const [index, pending] of group.entries()) {
      if (batch.bytes > groupBytesMax) {
        this.#queue.unshift(...group.slice(index));
        break;
      }
      try {
        batch.add(pending.update);
        decided.push(pending);
      } catch (error) {
        pending.reject(error);
      }
    }
    return decided;
  }
}

/** The changes of one group, and the records as they leave them. */
class Batch {
  readonly changes: Change[] = [];
  bytes = 0;
  readonly #records: Map<string, Buffer | undefined>;

  constructor(stored: Map<string, Buffer | undefined>) {
    this.#records = stored;
  }

  add(update: Update): void {
    for (const change of update.changes((key) => this.#read(key))) {
      this.changes.push(change);
      this.#records.set(nameOf(change.key), change.type === "put" ? change.value : undefined);
      this.bytes += change.key.length + (change.type === "put" ? change.value.length : 0);
    }
  }

  #read(key: Buffer): Buffer | undefined {
    const name = nameOf(key);
    const stored = this.#records.get(name);
    if (stored !== undefined) return unsealed(key, stored);
    if (this.#records.has(name)) return undefined;
    throw new Error(`an update reads ${key.toString("hex")}, which it did not announce`);
  }
}

function nameOf(key: Buffer): string {
  return key.toString("latin1");
}
