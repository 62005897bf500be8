import type { Driver } from "./driver.ts";
import { pageBytesMax } from "./limits.ts";
import { unsealed } from "./stored-value.ts";

/** Which records a page holds, and how many at most. */
export interface PageRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
  readonly limit: number;
  /** From the last record backwards. */
  readonly reverse?: boolean;
}

/** One record. */
export interface Entry {
  readonly key: Buffer;
  /** Its verified content. */
  readonly content: Buffer;
}

/** The database as it is at one moment. Lives only as long as the call that it was lent to. */
export class View implements AsyncDisposable {
  readonly #driver: Driver;
  readonly #snapshot: ReturnType<Driver["snapshot"]>;

  constructor(driver: Driver) {
    this.#driver = driver;
    this.#snapshot = driver.snapshot();
  }

  /**
   * The first records of a range. Fewer than the limit where they are large, none only where there are none.
   *
   * @throws StorageError CORRUPT for a record that is damaged
   */
  async page({ gte, lt, limit, reverse = false }: PageRange): Promise<Entry[]> {
    const bounds = { gte, lt, reverse, snapshot: this.#snapshot, highWaterMarkBytes: pageBytesMax };
    const iterator = this.#driver.iterator(bounds);
    try {
      const found = await iterator.nextv(limit);
      return found.map(([key, stored]) => ({ key, content: unsealed(key, stored) }));
    } finally {
      await iterator.close();
    }
  }

  /** The keys of the first records of a range. */
  async keys({ gte, lt, limit }: PageRange): Promise<Buffer[]> {
    const bounds = { gte, lt, snapshot: this.#snapshot, highWaterMarkBytes: pageBytesMax };
    const iterator = this.#driver.keys(bounds);
    try {
      return await iterator.nextv(limit);
    } finally {
      await iterator.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#snapshot.close();
  }
}
