import { unlessAborted } from "@graviton/ports/lifetime";
import type { Pool, PoolClient, QueryResultRow } from "pg";
import { isFromServer } from "./errors.ts";

/** Runs one statement. */
export type Query = <Row extends QueryResultRow>(
  statement: string,
  parameters?: readonly unknown[],
) => Promise<Rows<Row>>;

/** What a statement gave. */
export interface Rows<Row> {
  readonly rows: readonly Row[];
  /** Rows given, or changed. */
  readonly count: number;
}

/**
 * One connection for one caller. Once the caller's signal aborts, whatever it waits for ends at once and the connection
 * is destroyed rather than given back, since Postgres may still be at work on it.
 */
export class Session implements Disposable {
  readonly #client: PoolClient;
  readonly #signal: AbortSignal | undefined;
  readonly #onLost = (error: Error) => {
    this.#lost ??= error;
  };
  #lost: unknown;

  private constructor(client: PoolClient, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#signal = signal;
    // A connection that breaks between two statements says so here, and would end the process if nobody listened.
    client.on("error", this.#onLost);
  }

  /** Waits for a connection, as long as the pool and the signal allow. */
  static async checkOut(pool: Pool, signal: AbortSignal | undefined): Promise<Session> {
    const connecting = pool.connect();
    try {
      return new Session(await unlessAborted(connecting, signal), signal);
    } catch (error) {
      if (signal?.aborted) connecting.then((client) => client.release()).catch(() => {});
      throw error;
    }
  }

  readonly query: Query = async <Row extends QueryResultRow>(
    statement: string,
    parameters: readonly unknown[] = [],
  ) => {
    if (this.#lost !== undefined) throw this.#lost;
    try {
      const running = this.#client.query<Row>(statement, [...parameters]);
      const { rows, rowCount } = await unlessAborted(running, this.#signal);
      return { rows, count: rowCount ?? 0 };
    } catch (error) {
      if (this.#signal?.aborted || !isFromServer(error)) this.#lost ??= error;
      throw error;
    }
  };

  [Symbol.dispose](): void {
    this.#client.removeListener("error", this.#onLost);
    this.#client.release(this.#lost !== undefined);
  }
}
