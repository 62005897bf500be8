import { setTimeout } from "node:timers/promises";
import { StorageError } from "@graviton/ports/storage-error";
import { Pool, type QueryResultRow } from "pg";
import { clientConfig, type PostgresConfig } from "./config.ts";
import { isConcurrencyFailure, postgresError } from "./errors.ts";
import { attemptsMax, poolMaxDefault, retryPauseMs, snapshotIdleTimeoutMsDefault } from "./limits.ts";
import { checkSchema, migrate } from "./migrate.ts";
import { type Query, type Rows, Session } from "./session.ts";

/**
 * The tables of one schema, and the connections to them. Calls share one pool; what holds a snapshot over many
 * statements, long reads and copies, has one of its own, so that it never keeps a short call waiting.
 *
 * Every method throws what {@link postgresError} makes of the driver's errors.
 */
export class PostgresDatabase implements AsyncDisposable {
  readonly #calls: Pool;
  readonly #snapshots: Pool;
  #closed: Promise<void> | undefined;

  private constructor(calls: Pool, snapshots: Pool) {
    this.#calls = calls;
    this.#snapshots = snapshots;
  }

  /**
   * Brings the schema up to date, unless the configuration says that somebody else does, and connects to it. Any number
   * of processes may do that at once.
   *
   * @throws StorageError UNAVAILABLE when Postgres cannot be reached or refuses the user
   * @throws StorageError UNSUPPORTED for a schema of another version, and for a database that cannot keep the promises
   */
  static async open(config: PostgresConfig): Promise<PostgresDatabase> {
    if (config.migrate ?? true) await migrate(config);
    await using opened = new AsyncDisposableStack();
    const database = opened.use(PostgresDatabase.#connect(config));
    if (config.migrate === false)
      await checkSchema((statement, values = []) => database.query(statement, values), config);
    opened.move();
    return database;
  }

  static #connect(config: PostgresConfig): PostgresDatabase {
    const shared = { ...clientConfig(config), max: config.poolMax ?? poolMaxDefault, allowExitOnIdle: true };
    const idle = config.snapshotIdleTimeoutMs ?? snapshotIdleTimeoutMsDefault;
    const calls = poolOf(shared);
    const snapshots = poolOf({ ...shared, idle_in_transaction_session_timeout: idle });
    return new PostgresDatabase(calls, snapshots);
  }

  /**
   * Asks whether the database answers. A schema that is brought up to date under a running process goes on to serve it:
   * steps of the schema only add.
   *
   * @throws StorageError UNAVAILABLE
   */
  async check(signal?: AbortSignal): Promise<void> {
    await this.query("SELECT 1", [], signal);
  }

  /** Connections of both pools, and the calls that wait for one. */
  get connections(): { readonly busy: number; readonly idle: number; readonly waiting: number } {
    const sum = (count: (pool: Pool) => number) => count(this.#calls) + count(this.#snapshots);
    return {
      busy: sum(({ totalCount, idleCount }) => totalCount - idleCount),
      idle: sum(({ idleCount }) => idleCount),
      waiting: sum(({ waitingCount }) => waitingCount),
    };
  }

  /** Runs one statement, which is a transaction of its own; again if it loses to a concurrent one. */
  query<Row extends QueryResultRow>(
    statement: string,
    parameters: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<Rows<Row>> {
    return translated(() =>
      retried(signal, async () => {
        using session = await Session.checkOut(this.#calls, signal);
        return await session.query<Row>(statement, parameters);
      }),
    );
  }

  /** Runs statements as one transaction: all or none; again from the start if they lose to a concurrent one. */
  transaction<T>(signal: AbortSignal | undefined, work: (query: Query) => Promise<T>): Promise<T> {
    return transactionOn(this.#calls, "BEGIN", signal, work);
  }

  /**
   * As {@link transaction}, of many statements that all see the database as it is at the first of them. Takes no
   * connection from short calls.
   */
  longTransaction<T>(signal: AbortSignal | undefined, work: (query: Query) => Promise<T>): Promise<T> {
    return transactionOn(this.#snapshots, "BEGIN ISOLATION LEVEL REPEATABLE READ", signal, work);
  }

  /** Statements that all see the database as it is at the first of them. Holds a connection until disposed. */
  snapshot(signal?: AbortSignal): Promise<Snapshot> {
    return translated(async () => {
      const session = await Session.checkOut(this.#snapshots, signal);
      try {
        await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        return new Snapshot(session);
      } catch (error) {
        session[Symbol.dispose]();
        throw error;
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= Promise.all([this.#calls.end(), this.#snapshots.end()]).then(() => {});
    return this.#closed;
  }
}

/** The database as it was at one moment. */
export class Snapshot implements AsyncDisposable {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  query<Row extends QueryResultRow>(statement: string, parameters: readonly unknown[]): Promise<Rows<Row>> {
    return translated(() => this.#session.query<Row>(statement, parameters));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.query("COMMIT").catch(() => {});
    this.#session[Symbol.dispose]();
  }
}

function poolOf(config: ConstructorParameters<typeof Pool>[0]): Pool {
  const pool = new Pool(config);
  // An idle connection that breaks has left the pool by then; the next call makes a new one, or fails with a reason.
  pool.on("error", () => {});
  return pool;
}

function transactionOn<T>(
  pool: Pool,
  begin: string,
  signal: AbortSignal | undefined,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  return translated(() =>
    retried(signal, async () => {
      using session = await Session.checkOut(pool, signal);
      await session.query(begin);
      try {
        const result = await work(session.query);
        await session.query("COMMIT");
        return result;
      } catch (error) {
        await session.query("ROLLBACK").catch(() => {});
        throw error;
      }
    }),
  );
}

async function retried<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isConcurrencyFailure(error) || attempt === attemptsMax || signal?.aborted) throw error;
      await setTimeout(Math.random() * retryPauseMs * 2 ** attempt);
    }
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw postgresError(error);
  }
}

/** The error for an upload whose pending rows are not there any more. */
export function uploadExpired(resource: string): StorageError {
  return new StorageError(
    "CONFLICT",
    `the upload of ${resource} paused for so long that it was removed: put it again`,
    {
      resource,
    },
  );
}
