import type { ByteSpan } from "@graviton/ports/byte-range";
import type { StorageError } from "@graviton/ports/storage-error";
import { checkChecksum, checksumOf } from "./checksum.ts";
import { type PostgresDatabase, uploadExpired } from "./database.ts";
import { partsPerStatement } from "./limits.ts";
import type { PartsRemover } from "./parts-remover.ts";
import type { Query, Rows } from "./session.ts";

/** A pair of tables of one shape: versions, and the parts of each by their first offset. */
export interface PartTables {
  readonly versions: string;
  readonly parts: string;
}

/** A run of bytes of a version. */
export interface Part {
  readonly firstOffset: number;
  readonly content: Buffer;
}

/**
 * A version on its way in. A short one is written whole by the one statement that publishes it. A longer one goes to
 * the database as it comes, a few parts a statement, under a version that is marked as pending and that nobody reads:
 * no connection waits for a slow source, and whatever a crash leaves is removed a day later.
 */
export class PartsWriter {
  readonly #database: PostgresDatabase;
  readonly #remover: PartsRemover;
  readonly #tables: PartTables;
  readonly #resource: string;
  readonly #signal: AbortSignal | undefined;
  #waiting: Part[] = [];
  #version: number | undefined;

  /**
   * @param remover of the tables to write to
   * @param resource what the errors call it
   */
  constructor(database: PostgresDatabase, remover: PartsRemover, resource: string, signal: AbortSignal | undefined) {
    this.#database = database;
    this.#remover = remover;
    this.#tables = remover.tables;
    this.#resource = resource;
    this.#signal = signal;
  }

  /** Takes the next part. Nothing is written before {@link flush} or {@link publish}. */
  add(part: Part): void {
    this.#waiting.push(part);
  }

  /** Writes what was added, as pending. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const { versions } = this.#tables;
    const version =
      this.#version === undefined
        ? `INSERT INTO ${versions} (pending_since) VALUES (now()) RETURNING id`
        : `UPDATE ${versions} SET pending_since = now() WHERE id = $1 AND pending_since < 'infinity' RETURNING id`;
    if (this.#version === undefined) this.#remover.start();
    const parameters: unknown[] = this.#version === undefined ? [] : [this.#version];
    const written = await this.#database.query<{ version: number }>(
      `WITH version AS (${version}) ${this.#insertParts(parameters)} RETURNING version`,
      parameters,
      this.#signal,
    );
    if (written.count === 0) throw uploadExpired(this.#resource);
    this.#version = written.rows[0]?.version;
    this.#waiting = [];
  }

  /**
   * Takes the parts of another version, all of them as they are at one moment, whatever becomes of it meanwhile: a few a
   * statement, so that no limit of a statement limits a copy.
   *
   * @param find gives the version within that moment
   */
  copy<Source extends { readonly version: number }>(find: (query: Query) => Promise<Source>): Promise<Source> {
    return this.#database.longTransaction(this.#signal, async (query) => {
      const source = await find(query);
      const created = `INSERT INTO ${this.#tables.versions} (pending_since) VALUES (now()) RETURNING id`;
      const version = (await query<{ id: number }>(created)).rows[0]?.id as number;
      this.#version = version;
      let reached: number | undefined = -1;
      while (reached !== undefined) reached = await this.#copySome(query, source.version, version, reached);
      return source;
    });
  }

  /**
   * Makes it a version that is read, by one statement: `insert` puts in a row that refers to `(SELECT id FROM version)`,
   * and if that fails nothing has happened.
   */
  async publish(insert: string, insertParameters: readonly unknown[]): Promise<Rows<Record<string, unknown>>> {
    const parameters = [...insertParameters];
    if (this.#version === undefined) return this.#publishWhole(insert, parameters);
    await this.flush();
    parameters.push(this.#version);
    const published = `UPDATE ${this.#tables.versions} SET pending_since = NULL
      WHERE id = $${parameters.length} AND pending_since < 'infinity' RETURNING id`;
    const result = await this.#database.query(`WITH version AS (${published}) ${insert}`, parameters, this.#signal);
    if (result.count === 0) throw uploadExpired(this.#resource);
    this.#version = undefined;
    return result;
  }

  /** Has removed what was written and not published. */
  abandon(): void {
    if (this.#version !== undefined) this.#remover.abandon(this.#version);
  }

  #publishWhole(insert: string, parameters: unknown[]): Promise<Rows<Record<string, unknown>>> {
    const parts = this.#waiting.length === 0 ? "" : `, parts AS (${this.#insertParts(parameters)})`;
    const version = `INSERT INTO ${this.#tables.versions} DEFAULT VALUES RETURNING id`;
    return this.#database.query(`WITH version AS (${version})${parts} ${insert}`, parameters, this.#signal);
  }

  /** Gives the last part of those copied, or undefined when no more can follow. */
  async #copySome(query: Query, from: number, to: number, after: number): Promise<number | undefined> {
    const { parts } = this.#tables;
    const { rows } = await query<{ first_offset: number }>(
      `INSERT INTO ${parts} (version, first_offset, content, checksum)
        SELECT $1, first_offset, content, checksum FROM ${parts}
        WHERE version = $2 AND first_offset > $3 ORDER BY first_offset LIMIT $4
        RETURNING first_offset`,
      [to, from, after, partsPerStatement],
    );
    return rows.length < partsPerStatement ? undefined : rows.at(-1)?.first_offset;
  }

  /** Each part as parameters of its own: bytes within an array would travel as text. */
  #insertParts(parameters: unknown[]): string {
    const rows = this.#waiting.map(({ firstOffset, content }) => {
      parameters.push(firstOffset, content, checksumOf(String(firstOffset), content));
      const last = parameters.length;
      return `($${last - 2}::bigint, $${last - 1}::bytea, $${last}::integer)`;
    });
    return `INSERT INTO ${this.#tables.parts} (version, first_offset, content, checksum)
      SELECT version.id, part.* FROM version, (VALUES ${rows.join(", ")}) AS part`;
  }
}

/** What runs a statement: the database, or a snapshot of it. */
export interface Reader {
  query(statement: string, parameters: readonly unknown[], signal?: AbortSignal): Promise<Rows<PartRow>>;
}

interface PartRow {
  first_offset: number;
  content: Buffer;
  checksum: number;
}

/** What to read of a version. */
export interface PartsRange {
  /** What the errors call it. */
  readonly resource: string;
  readonly version: number;
  /** The bytes wanted. */
  readonly span: ByteSpan;
  /** Parts that are in memory at once. */
  readonly limit: number;
  /** The byte after the last one of a part. */
  readonly endOf: (part: Part) => number;
  /** Makes the error for parts that are not there. */
  readonly vanished: () => Promise<StorageError> | StorageError;
}

/**
 * The parts that hold bytes of the span, in order, found without reading those before them. Parts of a version never
 * change, so that statements which see different moments see the same parts, or miss some that were removed.
 *
 * @throws StorageError CORRUPT for a part that is not what was written
 */
export async function* readParts(
  reader: Reader,
  tables: PartTables,
  range: PartsRange,
  signal?: AbortSignal,
): AsyncGenerator<Part, void, void> {
  const { start, end } = range.span;
  let reached: number | undefined;
  while ((reached ?? start) < end) {
    const parts = await readSome(reader, tables, range, reached ?? start, signal);
    if (parts.length === 0) throw await range.vanished();
    for (const part of parts) {
      const follows = reached === undefined ? part.firstOffset <= start : part.firstOffset === reached;
      if (!follows) throw await range.vanished();
      yield part;
      reached = range.endOf(part);
    }
  }
}

/** The part that holds the first byte is found by one descent of the index. */
async function readSome(
  reader: Reader,
  { parts }: PartTables,
  { resource, version, span, limit }: PartsRange,
  start: number,
  signal: AbortSignal | undefined,
): Promise<Part[]> {
  const { rows } = await reader.query(
    `SELECT first_offset, content, checksum FROM ${parts}
      WHERE version = $1 AND first_offset < $3 AND first_offset >= coalesce(
        (SELECT first_offset FROM ${parts} WHERE version = $1 AND first_offset <= $2 ORDER BY first_offset DESC LIMIT 1), 0)
      ORDER BY first_offset LIMIT $4`,
    [version, start, span.end, limit],
    signal,
  );
  return rows.map((row) => {
    checkChecksum(resource, String(row.first_offset), row.content, row.checksum);
    return { firstOffset: row.first_offset, content: row.content };
  });
}
