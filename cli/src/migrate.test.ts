import { migrations } from "@graviton/postgres/migrate";
import { describePostgres } from "@graviton/postgres/testing/describe-postgres";
import type { PostgresServer } from "@graviton/postgres/testing/postgres-server";
import { dropSchema, ownSchema } from "@graviton/postgres/testing/postgres-subject";
import { expect, jest, test } from "@jest/globals";
import { runGraviton } from "./testing/run-graviton.ts";

// Each run of the command is a process of its own, and the machine may be busy.
jest.setTimeout(60_000);

const migrate = (settings: Readonly<Record<string, string>>) => runGraviton(["migrate"], { settings });

describePostgres("migrate", (server) => {
  test("prints each step that it took, and none the second time", async () => {
    await using schema = forOwnSchema(server());
    const steps = (await migrations()).map(({ name }) => `${name}\n`);
    const taken = `${steps.length} migrations taken\n`;
    expect(await migrate(schema.settings)).toMatchObject({ code: 0, stdout: steps.join(""), stderr: taken });
    const again = { code: 0, stdout: "", stderr: "the schema is up to date\n" };
    expect(await migrate(schema.settings)).toMatchObject(again);
  });

  test("run twice at once succeeds twice, and takes each step once", async () => {
    await using schema = forOwnSchema(server());
    const both = await Promise.all([migrate(schema.settings), migrate(schema.settings)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const steps = (await migrations()).map(({ name }) => `${name}\n`);
    expect(both.map(({ stdout }) => stdout).sort()).toEqual(["", steps.join("")]);
  });
});

test("migrate with a setting that is wrong exits with 2 and names it", async () => {
  const ran = await migrate({ GRAVITON_POSTGRES_URL: "mysql://somewhere" });
  expect(ran).toMatchObject({ code: 2, stdout: "" });
  expect(ran.stderr).toMatch(/^graviton: GRAVITON_POSTGRES_URL [^\n]+\n$/);
});

test("migrate without a database there exits with 5", async () => {
  const ran = await migrate({ GRAVITON_POSTGRES_URL: "postgres://nobody@127.0.0.1:1/nowhere" });
  expect(ran).toMatchObject({ code: 5, stdout: "" });
  expect(ran.stderr).toMatch(/^graviton: [^\n]+\n$/);
});

/** Settings for a schema that nobody else uses. Disposing them drops it. */
function forOwnSchema(server: PostgresServer) {
  const config = ownSchema(server);
  const socket = `postgres://${config.user}@${encodeURIComponent(config.host ?? "")}/${config.database}`;
  return {
    settings: {
      GRAVITON_POSTGRES_URL: config.connectionString ?? socket,
      GRAVITON_POSTGRES_SCHEMA: config.schema,
    },
    [Symbol.asyncDispose]: () => dropSchema(config),
  };
}
