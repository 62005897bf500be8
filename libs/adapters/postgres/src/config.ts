import { StorageError } from "@graviton/ports/storage-error";
import { type ClientConfig, types } from "pg";
import { connectionTimeoutMsDefault, keepAliveDelayMs, statementTimeoutMsDefault } from "./limits.ts";

/** Where a database is and how to use it. What is absent comes from the standard `PG…` environment, or a default. */
export interface PostgresConfig {
  /** `postgres://user:password@host:port/database`; instead of the parts below. */
  readonly connectionString?: string | undefined;
  /** A name, an address, or the folder of a Unix socket. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Holds all tables; `graviton` when absent. Stores of different schemas see nothing of each other. */
  readonly schema?: string | undefined;
  /** Whether opening brings the schema up to date; true when absent. */
  readonly migrate?: boolean | undefined;
  /** Connections for short calls, 10 when absent. Reads that hold a snapshot have as many of their own. */
  readonly poolMax?: number | undefined;
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectionTimeoutMs?: number | undefined;
  /** How long one statement may run, in milliseconds; 0 is for ever. */
  readonly statementTimeoutMs?: number | undefined;
  /** How long a reader that holds a snapshot may pause, in milliseconds. */
  readonly snapshotIdleTimeoutMs?: number | undefined;
}

const schemaPattern = /^[a-z_][a-z0-9_]{0,62}$/;

/** @throws StorageError INVALID_ARGUMENT for a name that would need quotes */
export function schemaOf(config: PostgresConfig): string {
  const schema = config.schema ?? "graviton";
  if (schemaPattern.test(schema) && !schema.startsWith("pg_")) return schema;
  throw new StorageError(
    "INVALID_ARGUMENT",
    `schema ${JSON.stringify(schema)} must be 1 to 63 lower-case letters, digits and underscores, and not begin with a digit or pg_`,
  );
}

/** What the driver needs for one connection, whose unqualified names all mean the schema. */
export function clientConfig(config: PostgresConfig): ClientConfig {
  const { connectionString, host, port, database, user, password } = config;
  const given = { connectionString, host, port, database, user, password };
  const connectionTimeoutMs = config.connectionTimeoutMs ?? connectionTimeoutMsDefault;
  const statementTimeoutMs = config.statementTimeoutMs ?? statementTimeoutMsDefault;
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    application_name: "graviton",
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    connectionTimeoutMillis: connectionTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // A server that is there ends the statement itself; one that has vanished is given as much longer as to connect.
    query_timeout: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + connectionTimeoutMs,
    // Statements are short; to compile one costs more than to run it.
    options: `-c search_path=${schemaOf(config)} -c jit=off`,
    types: { getTypeParser },
  };
}

const int8 = 20;

/** Every bigint of the schema is checked to be a number that JavaScript can hold. */
const getTypeParser: typeof types.getTypeParser = (id: number, format?: string) => {
  return id === int8 ? Number : types.getTypeParser(id, format as never);
};
