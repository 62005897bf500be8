import { readdir, stat, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { StorageError } from "@graviton/ports/storage-error";
import { type Driver, openDriver } from "./driver.ts";
import { claimFormat } from "./format.ts";
import { removeLeftovers } from "./leftovers.ts";
import { diskFull, translated } from "./level-error.ts";
import { removalRecordsMax, reopenSpareBytes } from "./limits.ts";
import { Reads } from "./reads.ts";
import { unsealed } from "./stored-value.ts";
import { recordKey } from "./tables.ts";
import { type Change, del, type Update } from "./update.ts";
import { type Entry, type PageRange, View } from "./view.ts";
import { Writer } from "./writer.ts";

/** What a {@link LevelDatabase} stands on, where it is not the usual. */
export interface LevelDatabaseOptions {
  readonly openDriver?: (folder: string) => Promise<Driver>;
}

/**
 * One LevelDB in one folder, for all stores of a process. Every value carries a checksum, every write is flushed before
 * it is acknowledged, and writers that come together share a flush.
 *
 * LevelDB as it is bundled has the bug google/leveldb#320: when a compaction has to keep two versions of one key, because
 * a snapshot between them is open, it may part them, and the older one may come back later. So no batch begins while
 * a read is under way that is older than the batch before it. A version can reach a compaction only after a later batch
 * has begun; by then no snapshot is older than it, and the compaction keeps the newest version alone. Reads therefore are
 * short: each takes its snapshot, reads a bounded page, and lets go. What has to last longer, a scan, is built above.
 */
export class LevelDatabase implements AsyncDisposable {
  readonly folder: string;
  readonly #openDriver: (folder: string) => Promise<Driver>;
  readonly #reads = new Reads();
  readonly #writer: Writer;
  #driver: Driver;
  #olderReads: Promise<void> = Promise.resolve();
  #mustReopen = false;
  #down = false;
  #closed: Promise<void> | undefined;

  private constructor(folder: string, driver: Driver, open: (folder: string) => Promise<Driver>) {
    this.folder = folder;
    this.#driver = driver;
    this.#openDriver = open;
    this.#writer = new Writer({ read: (keys) => this.#readStored(keys), write: (changes) => this.#write(changes) });
  }

  /**
   * Opens the database in a folder, makes it where there is none, and removes what a crash left unfinished.
   *
   * @throws StorageError UNAVAILABLE when it is open already, or the folder refuses access
   * @throws StorageError UNSUPPORTED for another format
   */
  static async open(folder: string, options: LevelDatabaseOptions = {}): Promise<LevelDatabase> {
    const path = resolve(folder);
    const open = options.openDriver ?? openDriver;
    const database = new LevelDatabase(path, await translated(path, () => open(path)), open);
    try {
      await claimFormat(database);
      await removeLeftovers(database);
      return database;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * The content of a record, or undefined when absent.
   *
   * @throws StorageError CORRUPT when it is damaged
   */
  async get(key: Buffer): Promise<Buffer | undefined> {
    const stored = await this.#read((driver) => driver.get(key));
    return stored === undefined ? undefined : unsealed(key, stored);
  }

  /** For each key whether it has a record. */
  hasMany(keys: readonly Buffer[]): Promise<boolean[]> {
    return this.#read((driver) => driver.hasMany([...keys]));
  }

  /** The first records of a range. Fewer than the limit where they are large, none only where there are none. */
  page(range: PageRange): Promise<Entry[]> {
    return this.view((view) => view.page(range));
  }

  /** Lends the database as it is at one moment. The reader must be quick, and must not wait for a write. */
  view<T>(read: (view: View) => Promise<T>): Promise<T> {
    return this.#read(async (driver) => {
      await using view = new View(driver);
      return await read(view);
    });
  }

  /** Does the update once those before it are done, and resolves when it is durable. */
  async update(update: Update): Promise<void> {
    this.#expectOpen();
    await this.#writer.update(update);
  }

  /** Removes all records of a range, a batch at a time. */
  async remove(range: { readonly gte: Buffer; readonly lt: Buffer }): Promise<void> {
    for (;;) {
      const keys = await this.view((view) => view.keys({ ...range, limit: removalRecordsMax }));
      if (keys.length === 0) return;
      await this.update({ changes: () => keys.map(del) });
    }
  }

  /** Closes the database after the last write and read have ended. The stores on it must be disposed before. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#writer.idle().then(() => this.#reads.exclude(() => this.#driver.close()));
    return this.#closed;
  }

  async #read<T>(read: (driver: Driver) => Promise<T>): Promise<T> {
    // The database could not be opened again: any update that reads tries once more.
    if (this.#down) await this.update({ reads: () => [recordKey("meta", "format")], changes: () => [] });
    return this.#reads.run(() => {
      this.#expectOpen();
      return translated(this.folder, () => read(this.#driver));
    });
  }

  async #readStored(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    await this.#recover();
    return translated(this.folder, () => this.#driver.getMany([...keys]));
  }

  async #write(changes: readonly Change[]): Promise<void> {
    await this.#recover();
    await this.#olderReads;
    try {
      await translated(this.folder, () => this.#driver.batch([...changes], { sync: true }));
    } catch (error) {
      this.#mustReopen = true;
      throw error;
    } finally {
      this.#olderReads = this.#reads.ended();
    }
  }

  /**
   * Opens the database again after a write failed: its log may end in half a record, behind which LevelDB would not
   * find what it writes next. Until there is room to do so it stays open for reading.
   */
  async #recover(): Promise<void> {
    if (!this.#mustReopen) return;
    await this.#expectRoom();
    await this.#reads.exclude(() =>
      translated(this.folder, async () => {
        this.#down = true;
        await this.#driver.close();
        this.#driver = await this.#openDriver(this.folder);
        this.#down = false;
      }),
    );
    this.#mustReopen = false;
  }

  /** Opening turns the log into a table, and so needs as much space again as the log takes. */
  async #expectRoom(): Promise<void> {
    await translated(this.folder, async () => {
      const logs = (await readdir(this.folder)).filter((name) => name.endsWith(".log"));
      const sizes = await Promise.all(logs.map((name) => stat(join(this.folder, name))));
      const logBytes = sizes.reduce((sum, { size }) => sum + size, 0);
      const { bavail, bsize } = await statfs(this.folder);
      if (bavail * bsize < logBytes + reopenSpareBytes) throw diskFull(this.folder);
    });
  }

  #expectOpen(): void {
    if (this.#closed === undefined) return;
    throw new StorageError("UNAVAILABLE", `database ${this.folder} is closed`, { resource: this.folder });
  }
}
