import { randomBytes } from "node:crypto";
import { migrate } from "@graviton/postgres/migrate";
import { describePostgres } from "@graviton/postgres/testing/describe-postgres";
import { postgresGate, urlOf } from "@graviton/postgres/testing/postgres-gate";
import { dropSchema, ownSchema, withClient } from "@graviton/postgres/testing/postgres-subject";
import { expect, jest, test } from "@jest/globals";
import { expectToServe } from "./backends.ts";
import type { ServiceSubject } from "./service-subject.ts";
import { startProcess, type TestProcess } from "./test-process.ts";

/** Describes the good and the bad days of a service with its Postgres. */
export function describePostgresDays(subject: ServiceSubject): void {
  const { definition, variable } = subject;

  describePostgres(`The ${definition.name} on Postgres`, (server) => {
    jest.setTimeout(60_000);

    test("serves, says so in its metrics, and drains", async () => {
      await using schema = await takeSchema();
      await expectToServe(subject, "postgres", schema.environment);
    });

    test("says that the database does not exist, and serves once it does", async () => {
      const database = `test_${randomBytes(8).toString("hex")}`;
      const url = urlOf(server());
      url.pathname = database;
      const run = (statement: string) => withClient(server().config, (client) => client.query(statement));
      try {
        await using process = await start({ GRAVITON_POSTGRES_URL: url.href });
        await expectToRefuse(process, "Postgres has no database of that name: create it");
        await run(`CREATE DATABASE ${database} ENCODING 'UTF8' TEMPLATE template0`);
        await expectToRecover(process);
      } finally {
        await run(`DROP DATABASE IF EXISTS ${database}`);
      }
    });

    test("says that Postgres refuses the user, never with what password, and serves once it is let in", async () => {
      await using schema = await takeSchema();
      const user = `test_${randomBytes(8).toString("hex")}`;
      const url = urlOf(server());
      url.username = user;
      url.password = "hush-hush";
      const run = (statement: string) => withClient(server().config, (client) => client.query(statement));
      try {
        await using process = await start({ ...schema.environment, GRAVITON_POSTGRES_URL: url.href });
        await expectToRefuse(process, "Postgres refuses the user or the password: check the connection settings");
        expect(JSON.stringify(process.lines)).not.toContain("hush-hush");
        await run(`CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD 'hush-hush'`);
        await expectToRecover(process);
      } finally {
        await dropSchema(schema.config);
        await run(`DROP ROLE IF EXISTS ${user}`);
      }
    });

    test("leaves the schema of a newer version as it is, and says which", async () => {
      await using schema = await takeSchema();
      const name = schema.config.schema;
      await schema.run(`CREATE SCHEMA ${name}`);
      await schema.run(
        "CREATE TABLE schema_migrations (number integer, name text, applied_at timestamptz DEFAULT now())",
      );
      await schema.run("INSERT INTO schema_migrations VALUES (999, '999-of-tomorrow')");
      await using process = await start(schema.environment);
      await expectToRefuse(process, `Postgres schema ${name} is of a newer version, which has 999-of-tomorrow`);
      const tables = await schema.run(`SELECT FROM pg_class WHERE relnamespace = '${name}'::regnamespace`);
      expect(tables.rowCount).toBe(1);
      await schema.run("DELETE FROM schema_migrations");
      await expectToRecover(process);
    });

    test("asks for `graviton migrate` where it may not migrate itself, and serves after it", async () => {
      await using schema = await takeSchema();
      await using process = await start({ ...schema.environment, GRAVITON_POSTGRES_MIGRATE: "false" });
      await expectToRefuse(process, "run graviton migrate");
      await migrate(schema.config);
      await expectToRecover(process);
    });

    test("outlives a Postgres that is away, at the start and later, and has everything when it is back", async () => {
      await using schema = await takeSchema();
      await using gate = await postgresGate(server());
      await using process = await start({ ...schema.environment, GRAVITON_POSTGRES_URL: gate.url });
      await expectToRefuse(process, "Postgres cannot be reached: check that it runs");
      await gate.open();
      await process.ready();
      await subject.put(process.channel, "before", "postgres");
      await gate.shut();
      await expectToRefuse(process, "Postgres");
      await gate.open();
      await expectToRecover(process);
      await subject.expectThere(process.channel, "before", "postgres");
    });

    async function takeSchema() {
      const config = ownSchema(server());
      return {
        config,
        environment: { GRAVITON_POSTGRES_URL: urlOf(server()).href, GRAVITON_POSTGRES_SCHEMA: config.schema },
        run: (statement: string) => withClient(config, (client) => client.query(statement)),
        [Symbol.asyncDispose]: () => dropSchema(config),
      };
    }
  });

  function start(environment: Readonly<Record<string, string>>): Promise<TestProcess> {
    return startProcess(definition, { [variable]: "postgres", ...environment });
  }

  /** Expects the process to live, to say why it does not serve, and to answer calls with the same. */
  async function expectToRefuse(process: TestProcess, why: string): Promise<void> {
    expect(await process.unready()).toContain(why);
    expect((await process.page("/healthz")).status).toBe(200);
    await expect(subject.put(process.channel, "refused", "postgres")).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining(why),
    });
  }

  async function expectToRecover(process: TestProcess): Promise<void> {
    await process.ready();
    await subject.put(process.channel, "after", "postgres");
    await subject.expectThere(process.channel, "after", "postgres");
  }
}
