import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "@graviton/ports/storage-error";
import { Client } from "pg";
import { clientConfig, type PostgresConfig, schemaOf } from "./config.ts";
import { postgresError } from "./errors.ts";
import type { Query } from "./session.ts";

/** One step of the schema: a file `001-name.sql`. */
interface Migration {
  readonly number: number;
  readonly name: string;
  readonly statements: string;
}

const migrationsFolder = join(import.meta.dirname, "..", "migrations");

/**
 * Brings the schema up to date, each step in a transaction of its own, and gives the names of the steps that it took.
 * Processes that do so at once take turns, and all but the first find nothing to do.
 *
 * @throws StorageError UNAVAILABLE when Postgres cannot be reached, or does not let the user create what is missing
 * @throws StorageError UNSUPPORTED for a schema of a newer version, and for a database that cannot keep the promises
 */
export async function migrate(config: PostgresConfig): Promise<string[]> {
  const client = clientOf(config);
  let lost: unknown;
  client.on("error", (error) => {
    lost ??= error;
  });
  try {
    await client.connect();
    const query: Query = async (statement, parameters) => {
      const { rows } = await client.query(statement, parameters && [...parameters]);
      return { rows, count: rows.length };
    };
    await checkServer(query);
    // Others may take their time with a long step; whoever holds the lock and dies gives it back with its session.
    await client.query("SET statement_timeout = 0");
    await client.query("SELECT pg_advisory_lock(hashtextextended($1, 0))", [`graviton schema ${schemaOf(config)}`]);
    return await migrateAlone(client, query, schemaOf(config));
  } catch (error) {
    throw postgresError(lost ?? error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** A step that the database has taken. */
interface TakenMigration {
  readonly number: number;
  readonly name: string;
}

/**
 * Checks, where somebody else brings the schema up to date, that it has just the steps that this version knows.
 *
 * @throws StorageError UNSUPPORTED for a schema of a newer or an older version, and for a database that cannot keep the
 *   promises
 */
export async function checkSchema(query: Query, config: PostgresConfig): Promise<void> {
  await checkServer(query);
  const schema = schemaOf(config);
  const taken = (await hasSchema(query, schema)) && (await hasLedger(query, schema)) ? await takenBy(query) : [];
  const [waiting] = untaken(taken, await migrations(), schema);
  if (waiting === undefined) return;
  throw unsupported(`Postgres schema ${schema} lacks ${waiting.name}: run graviton migrate`);
}

/** Every step there is, in order. */
export async function migrations(): Promise<Migration[]> {
  const files = (await readdir(migrationsFolder)).filter((file) => file.endsWith(".sql")).sort();
  return Promise.all(
    files.map(async (file) => ({
      number: Number.parseInt(file, 10),
      name: file.replace(/\.sql$/, ""),
      statements: await readFile(join(migrationsFolder, file), "utf8"),
    })),
  );
}

function clientOf(config: PostgresConfig): Client {
  // A step takes as long as it takes, and so does the turn of somebody else.
  const driverConfig = { ...clientConfig(config), query_timeout: 0 };
  try {
    return new Client(driverConfig);
  } catch {
    // The driver's own error quotes the connection string, password and all.
    throw new StorageError("INVALID_ARGUMENT", "the Postgres connection string is malformed", { resource: "Postgres" });
  }
}

async function checkServer(query: Query): Promise<void> {
  const { rows } = await query<{ encoding: string; commit: string }>(
    "SELECT current_setting('server_encoding') AS encoding, current_setting('synchronous_commit') AS commit",
  );
  if (rows[0]?.encoding !== "UTF8") {
    throw unsupported(`the Postgres database has the encoding ${rows[0]?.encoding}: create it with UTF8`);
  }
  if (rows[0].commit === "off") {
    throw unsupported("Postgres acknowledges what is not durable yet: set synchronous_commit to on");
  }
}

async function migrateAlone(client: Client, query: Query, schema: string): Promise<string[]> {
  // Asks before it creates: a user who may not create schemas can still use one that is there.
  if (!(await hasSchema(query, schema))) await query(`CREATE SCHEMA "${schema}"`);
  if (!(await hasLedger(query, schema))) await query(createLedger);
  const waiting = untaken(await takenBy(query), await migrations(), schema);
  for (const migration of waiting) await take(client, migration);
  return waiting.map(({ name }) => name);
}

/** The steps of this version that the database has not taken. */
function untaken(taken: readonly TakenMigration[], known: readonly Migration[], schema: string): Migration[] {
  const newer = taken.find(({ number }) => known.every((migration) => migration.number !== number));
  if (newer !== undefined) {
    throw unsupported(
      `Postgres schema ${schema} is of a newer version, which has ${newer.name}; this version knows ${known.at(-1)?.name} as the last: update it`,
    );
  }
  return known.filter(({ number }) => taken.every((row) => row.number !== number));
}

const createLedger = `CREATE TABLE schema_migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

async function hasSchema(query: Query, schema: string): Promise<boolean> {
  return (await query("SELECT FROM pg_namespace WHERE nspname = $1", [schema])).count > 0;
}

async function hasLedger(query: Query, schema: string): Promise<boolean> {
  const { rows } = await query<{ name: string | null; ledger: string | null }>(
    "SELECT current_schema() AS name, to_regclass('schema_migrations') AS ledger",
  );
  if (rows[0]?.name === schema) return rows[0].ledger !== null;
  throw unsupported(
    `Postgres does not use schema ${schema}: leave search_path out of the connection string, and grant the user USAGE on the schema`,
  );
}

async function takenBy(query: Query): Promise<readonly TakenMigration[]> {
  return (await query<TakenMigration>("SELECT number, name FROM schema_migrations ORDER BY number")).rows;
}

async function take(client: Client, { number, name, statements }: Migration): Promise<void> {
  await client.query("BEGIN");
  await client.query(statements);
  await client.query("INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", [number, name]);
  await client.query("COMMIT");
}

function unsupported(message: string): StorageError {
  return new StorageError("UNSUPPORTED", message, { resource: "Postgres" });
}
