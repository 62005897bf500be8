import type { PostgresDatabase } from "./database.ts";
import { abandonedAfterHours, partsPerStatement, versionsPerSearch } from "./limits.ts";
import type { PartTables } from "./parts.ts";

/**
 * Removes the versions that nobody needs any more: what replaced and deleted names had, and what uploads left. It goes on
 * beside the calls of a store, which neither wait for it nor fail with it, and takes a few parts at a time, so that it
 * gets on however large a version is. What it cannot remove now is found again the next time.
 */
export class PartsRemover implements AsyncDisposable {
  readonly tables: PartTables;
  readonly #database: PostgresDatabase;
  readonly #stopped = new AbortController();
  #abandoned: number[] = [];
  #wanted = false;
  #running: Promise<void> | undefined;

  constructor(database: PostgresDatabase, tables: PartTables) {
    this.#database = database;
    this.tables = tables;
  }

  /** Begins to remove what is there to remove, or has whoever is at it look once more. Returns at once. */
  start(): void {
    if (this.#stopped.signal.aborted) return;
    this.#wanted = true;
    this.#running ??= this.#run();
  }

  /** As {@link start}, and removes an upload that its writer gave up. */
  abandon(version: number): void {
    this.#abandoned.push(version);
    this.start();
  }

  /** Ends what goes on. What it leaves is found by others at once, also the uploads that were given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    await this.#giveUp(this.#abandoned.splice(0)).catch(() => {});
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped.signal.aborted) {
      this.#wanted = false;
      await this.#removeAll().catch(() => {});
    }
    this.#running = undefined;
  }

  /** By way of their numbers, so that a version which cannot be removed is tried once and keeps no other. */
  async #removeAll(): Promise<void> {
    await this.#giveUp(this.#abandoned.splice(0));
    let versions: readonly number[] = [];
    do {
      await this.#markExpired();
      versions = await this.#marked(versions.at(-1) ?? 0);
      for (const version of versions) {
        await this.#remove(version).catch(() => {});
        this.#stopped.signal.throwIfAborted();
      }
    } while (versions.length === versionsPerSearch);
  }

  /**
   * Marks them, also while the remover is being disposed: otherwise they would stay for a day. A publication whose answer
   * was lost may have happened all the same.
   */
  async #giveUp(uploads: readonly number[]): Promise<void> {
    if (uploads.length === 0) return;
    const { versions } = this.tables;
    await this.#database.query(
      `UPDATE ${versions} SET pending_since = 'infinity' WHERE id = ANY ($1) AND pending_since IS NOT NULL`,
      [uploads],
    );
  }

  /** Marks some of the uploads that wrote nothing for a day, so that nobody goes on with them. */
  async #markExpired(): Promise<void> {
    const { versions } = this.tables;
    await this.#query(
      `WITH expired AS (
        SELECT id FROM ${versions} WHERE pending_since < now() - make_interval(hours => $1)
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
      )
      UPDATE ${versions} AS version SET pending_since = 'infinity' FROM expired WHERE version.id = expired.id`,
      [abandonedAfterHours, versionsPerSearch],
    );
  }

  /** The next to remove. */
  async #marked(after: number): Promise<readonly number[]> {
    const { rows } = await this.#query<{ id: number }>(
      `SELECT id FROM ${this.tables.versions} WHERE pending_since = 'infinity' AND id > $1 ORDER BY id LIMIT $2`,
      [after, versionsPerSearch],
    );
    return rows.map(({ id }) => id);
  }

  async #remove(version: number): Promise<void> {
    let reached: number | null = -1;
    while (reached !== null) reached = await this.#removeSome(version, reached);
  }

  /**
   * Removes the next parts, and after the last of them the version. Whoever removes parts has locked the version, so that
   * processes never wait for each other's.
   *
   * @returns the last part of those removed; null when there is no more to do, or somebody else is at it
   */
  async #removeSome(version: number, after: number): Promise<number | null> {
    const { versions, parts } = this.tables;
    const { rows } = await this.#query<{ reached: number | null }>(
      `WITH version AS (SELECT id FROM ${versions} WHERE id = $1 FOR UPDATE SKIP LOCKED),
      next AS (
        SELECT part.first_offset FROM version JOIN ${parts} AS part ON part.version = version.id
        WHERE part.first_offset > $2 ORDER BY part.first_offset LIMIT $3
      ),
      removed AS (
        DELETE FROM ${parts} AS part USING next WHERE part.version = $1 AND part.first_offset = next.first_offset
      ),
      emptied AS (
        DELETE FROM ${versions} USING version
        WHERE ${versions}.id = version.id AND (SELECT count(*) FROM next) < $3
      )
      SELECT max(first_offset) AS reached FROM next HAVING count(*) = $3`,
      [version, after, partsPerStatement],
    );
    return rows[0]?.reached ?? null;
  }

  #query<Row extends object>(statement: string, parameters: readonly unknown[]) {
    return this.#database.query<Row>(statement, parameters, this.#stopped.signal);
  }
}
