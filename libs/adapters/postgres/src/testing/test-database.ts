import type { PostgresConfig } from "../config.ts";
import { PostgresDatabase } from "../database.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { dropSchema, ownSchema } from "./postgres-subject.ts";

/** A database in a schema of its own, which goes with it. */
export interface TestDatabase extends AsyncDisposable {
  readonly database: PostgresDatabase;
  readonly config: PostgresConfig & { readonly schema: string };
}

/** Opens a database for one test. */
export async function testDatabase(server: PostgresServer, settings: PostgresConfig = {}): Promise<TestDatabase> {
  const config = { ...settings, ...ownSchema(server) };
  const database = await PostgresDatabase.open(config);
  return {
    database,
    config,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await dropSchema(config);
    },
  };
}

/** The number that a statement `SELECT count(*) …` gives. */
export async function countOf(database: PostgresDatabase, what: string): Promise<number> {
  const { rows } = await database.query<{ count: number }>(`SELECT count(*) FROM ${what}`, []);
  return rows[0]?.count ?? 0;
}

/** Asks until the answer is yes. */
export async function until(question: () => Promise<boolean>): Promise<void> {
  while (!(await question())) await new Promise((resolve) => setTimeout(resolve, 5));
}
