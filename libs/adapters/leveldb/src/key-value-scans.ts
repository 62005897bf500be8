import type { KeyValuePair, KeyValueRange } from "@graviton/ports/key-value-store";
import { StorageError } from "@graviton/ports/storage-error";
import type { LevelDatabase } from "./database.ts";
import { busyRetryAfterMs, openScansMax, pageRecordsMax } from "./limits.ts";
import { commonEnd, entryBefore, entryNow, merged, Scan, type ScanEntry, wasAbsent, wasPresent } from "./scan.ts";
import { recordRange } from "./tables.ts";
import { type Change, put, type ReadRecord } from "./update.ts";

const known = new WeakMap<LevelDatabase, KeyValueScans>();

/**
 * Scans that see the pairs as they were when they began, without a snapshot of LevelDB's: it would have to stay open as
 * long as the slowest reader. Instead the first write to a pair that an open scan has still to deliver keeps the old
 * value, or that there was none, for that scan, in the same batch. The scan reads the pairs page by page and puts the
 * old values in the place of the new ones; when it ends, they are removed.
 */
export class KeyValueScans {
  readonly #database: LevelDatabase;
  readonly #open = new Set<Scan>();
  #begun = 0;

  private constructor(database: LevelDatabase) {
    this.#database = database;
  }

  /** The scans of a database. There is one object for all stores on it, since each must know the scans of all. */
  static of(database: LevelDatabase): KeyValueScans {
    const scans = known.get(database) ?? new KeyValueScans(database);
    known.set(database, scans);
    return scans;
  }

  /** What {@link undo} will read before these pairs change. */
  reads(pairs: readonly Buffer[]): Buffer[] {
    return this.#affected(pairs).flatMap(({ scan, pair }) => [pair, scan.undoKey(pair)]);
  }

  /**
   * What keeps these pairs, which are about to change, as they are for the scans that have still to deliver them.
   *
   * @throws StorageError CORRUPT for a damaged old value, which no scan could deliver
   */
  undo(pairs: readonly Buffer[], read: ReadRecord): Change[] {
    return this.#affected(pairs).flatMap(({ scan, pair }) => {
      if (read(scan.undoKey(pair)) !== undefined) return [];
      scan.changed = true;
      const value = read(pair);
      return [value === undefined ? put(scan.undoKey(pair), wasAbsent) : put(scan.undoKey(pair), wasPresent, value)];
    });
  }

  /** The pairs of a checked range. */
  async *scan(range: KeyValueRange): AsyncGenerator<KeyValuePair, void, void> {
    if (this.#open.size >= openScansMax) {
      throw new StorageError("EXHAUSTED", `${openScansMax} scans are open, openScansMax: try again`, {
        resource: this.#database.folder,
        retryAfterMs: busyRetryAfterMs,
      });
    }
    this.#begun += 1;
    const scan = new Scan(this.#begun, range);
    try {
      await this.#begin(scan);
      yield* this.#pairs(scan, range.limit ?? Number.POSITIVE_INFINITY);
    } finally {
      this.#open.delete(scan);
      await this.#forget(scan);
    }
  }

  /** Between two batches: those before it are in the scan's view, those after it keep old values for it. */
  async #begin(scan: Scan): Promise<void> {
    await this.#database.update({
      alone: true,
      changes: () => {
        this.#open.add(scan);
        return [];
      },
    });
  }

  async *#pairs(scan: Scan, limit: number): AsyncGenerator<KeyValuePair, void, void> {
    let left = limit;
    while (left > 0) {
      const pairs = await this.#nextPage(scan, Math.min(left, pageRecordsMax));
      if (pairs === undefined) return;
      for (const { name, value } of pairs.slice(0, left)) {
        yield { key: name.toString(), value: new Uint8Array(value as Buffer) };
      }
      left -= pairs.length;
    }
  }

  /** The next pairs of the scan, perhaps none; undefined at its end. */
  async #nextPage(scan: Scan, limit: number): Promise<ScanEntry[] | undefined> {
    const [now, before] = await this.#database.view(async (view) => {
      // Asked at the view's own moment: a change that is made later is not in it.
      const { changed } = scan;
      const now = await view.page({ ...scan.rest("pairs"), limit });
      const before = changed ? await view.page({ ...scan.rest("undo"), limit }) : [];
      return [now.map(entryNow), before.map(entryBefore)] as const;
    });
    const end = commonEnd(now, before);
    if (end === undefined) return undefined;
    scan.deliveredUpTo(end);
    return merged(now, before).filter(({ name, value }) => value !== undefined && Buffer.compare(name, end) <= 0);
  }

  async #forget(scan: Scan): Promise<void> {
    if (!scan.changed) return;
    try {
      // A batch under way may still keep values for it; an update comes after that.
      await this.#database.update({ changes: () => [] });
      await this.#database.remove(recordRange("undo", scan.id));
    } catch {
      // What cannot be removed now is removed when the database is opened next.
    }
  }

  #affected(pairs: readonly Buffer[]): { scan: Scan; pair: Buffer }[] {
    if (this.#open.size === 0) return [];
    return [...this.#open].flatMap((scan) =>
      pairs.filter((pair) => scan.expects(pair)).map((pair) => ({ scan, pair })),
    );
  }
}
