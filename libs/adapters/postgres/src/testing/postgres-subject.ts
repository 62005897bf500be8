import { randomBytes } from "node:crypto";
import type { Subject } from "@graviton/conformance/contract";
import { Client } from "pg";
import { postgresCapabilities } from "../capabilities.ts";
import { clientConfig, type PostgresConfig } from "../config.ts";
import { PostgresDatabase } from "../database.ts";
import { migrate } from "../migrate.ts";
import { isOwnServer, type PostgresServer } from "./postgres-server.ts";

/** How to make one of the stores of this package. */
export interface PostgresParts<Port> {
  /** The name of the class. */
  readonly name: string;
  /** The store on a database, which it closes with itself. */
  open(database: PostgresDatabase, close: () => Promise<void>): Port;
  /** The statement that damages what is stored under the name that is its parameter; absent where no store would notice. */
  readonly damage?: string;
}

/** A store of this package as something that a contract can be checked on, each harness in a schema of its own. */
export function postgresSubject<Port>(server: () => PostgresServer, parts: PostgresParts<Port>): Subject<Port> {
  return {
    name: parts.name,
    capabilities: postgresCapabilities,
    isolated: true,
    damageable: parts.damage !== undefined,
    async start() {
      const config = ownSchema(server());
      await migrate(config);
      const modest = await modestUser(config);
      return {
        async open() {
          const database = await PostgresDatabase.open({ ...modest, migrate: false });
          return parts.open(database, () => database[Symbol.asyncDispose]());
        },
        async damage(name) {
          const { rowCount } = await withClient(config, (client) => client.query(parts.damage ?? "", [name]));
          if (rowCount === 0) throw new Error(`there is nothing to damage under ${name}`);
        },
        async [Symbol.asyncDispose]() {
          await dropSchema(config);
          if (modest !== config) await withClient(config, (client) => client.query(`DROP ROLE "${config.schema}"`));
        },
      };
    },
  };
}

/**
 * Somebody who may do with the tables what services do, and nothing else, as a deployment would have it that migrates
 * apart. On a server that is not the tests' own nobody makes users.
 */
export async function modestUser(config: PostgresConfig & { schema: string }): Promise<PostgresConfig> {
  if (!isOwnServer) return config;
  const { schema } = config;
  await withClient(config, async (client) => {
    await client.query(`CREATE ROLE "${schema}" LOGIN`);
    await client.query(`GRANT USAGE ON SCHEMA "${schema}" TO "${schema}"`);
    await client.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${schema}"`);
  });
  return { ...config, user: schema };
}

/** A schema that nobody else uses. */
export function ownSchema(server: PostgresServer): PostgresConfig & { schema: string } {
  return { ...server.config, schema: `test_${randomBytes(8).toString("hex")}` };
}

export async function dropSchema(config: PostgresConfig & { schema: string }): Promise<void> {
  await withClient(config, (client) => client.query(`DROP SCHEMA IF EXISTS "${config.schema}" CASCADE`));
}

/** Runs something on a connection of its own, past the stores. */
export async function withClient<T>(config: PostgresConfig, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(clientConfig(config));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
