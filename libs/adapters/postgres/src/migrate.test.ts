import { randomBytes } from "node:crypto";
import type { Key } from "@graviton/ports/key";
import { expect, jest, test } from "@jest/globals";
import { findMissing } from "./block-keys.ts";
import { PostgresDatabase } from "./database.ts";
import { PostgresKeyValueStore } from "./key-value-store.ts";
import { migrate, migrations } from "./migrate.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { isOwnServer } from "./testing/postgres-server.ts";
import { dropSchema, ownSchema, withClient } from "./testing/postgres-subject.ts";
import { testDatabase, until } from "./testing/test-database.ts";

const hourMs = 3_600_000;

describePostgres("Migrations", (server) => {
  test("Every step is taken once, in order, and the next time there is nothing to do.", async () => {
    const config = ownSchema(server());
    const names = (await migrations()).map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(await migrate(config)).toEqual(names);
    expect(await migrate(config)).toEqual([]);
    await dropSchema(config);
  });

  test("Ten replicas that start at once all work, and each step was taken once.", async () => {
    const config = ownSchema(server());
    const taken = await Promise.all(Array.from({ length: 10 }, () => migrate(config)));
    expect(taken.flat()).toEqual((await migrations()).map(({ name }) => name));
    const databases = await Promise.all(Array.from({ length: 10 }, () => PostgresDatabase.open(config)));
    const stores = databases.map((database) => new PostgresKeyValueStore(database));
    await Promise.all(stores.map((store, index) => store.put(`${index}`, Buffer.of(index))));
    for (const [index, store] of stores.entries())
      expect(await store.get(`${9 - index}`)).toEqual(Buffer.of(9 - index));
    await Promise.all([...stores, ...databases].map((each) => each[Symbol.asyncDispose]()));
    await dropSchema(config);
  });

  test("Whoever waits for his turn waits as long as it takes.", async () => {
    const config = ownSchema(server());
    jest.useFakeTimers({ advanceTimers: true });
    try {
      await withClient({ ...server().config }, async (first) => {
        await first.query("SELECT pg_advisory_lock(hashtextextended($1, 0))", [`graviton schema ${config.schema}`]);
        const second = migrate({ ...config, statementTimeoutMs: 50 });
        const waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory'";
        await until(async () => (await first.query(waiting)).rowCount !== 0);
        await jest.advanceTimersByTimeAsync(hourMs);
        await first.query("SELECT pg_sleep(0.2)");
        await first.query("SELECT pg_advisory_unlock_all()");
        expect(await second).toEqual((await migrations()).map(({ name }) => name));
      });
    } finally {
      jest.useRealTimers();
    }
    await dropSchema(config);
  });

  test("A schema of a newer version is refused by name, and left as it is.", async () => {
    await using own = await testDatabase(server());
    await own.database.query("INSERT INTO schema_migrations (number, name) VALUES (999, '999-later')", []);
    for (const opening of [PostgresDatabase.open(own.config), migrate(own.config)]) {
      await expect(opening).rejects.toMatchObject({
        reason: "UNSUPPORTED",
        message: expect.stringContaining("999-later"),
      });
    }
  });

  test("Where somebody else migrates, a schema that lacks a step is refused, and says what to run.", async () => {
    const config = { ...ownSchema(server()), migrate: false };
    const refused = { reason: "UNSUPPORTED", message: expect.stringContaining("run graviton migrate") };
    await expect(PostgresDatabase.open(config)).rejects.toMatchObject(refused);
    await migrate(config);
    await using database = await PostgresDatabase.open(config);
    await database.check();
    await database.query("DELETE FROM schema_migrations WHERE number = 4", []);
    await expect(PostgresDatabase.open(config)).rejects.toMatchObject(refused);
    await dropSchema(config);
  });

  test("A step that fails leaves nothing, and may be tried again.", async () => {
    const config = ownSchema(server());
    await withClient({ ...server().config }, async (client) => {
      await client.query(`CREATE SCHEMA ${config.schema}`);
      await client.query(`CREATE TABLE ${config.schema}.objects ()`);
      await expect(migrate(config)).rejects.toMatchObject({ code: "42P07" });
      const tables = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = $1", [config.schema]);
      const names = tables.rows.map(({ tablename }) => tablename);
      expect(names).toContain("manifests");
      expect(names).not.toContain("object_versions");
      await client.query(`DROP TABLE ${config.schema}.objects`);
    });
    expect(await migrate(config)).toEqual((await migrations()).slice(1).map(({ name }) => name));
    await dropSchema(config);
  });

  test("Blocks that were recorded before the step that changes their index are known after it.", async () => {
    const config = ownSchema(server());
    const keys = ["00", "7f", "80", "ff"].map((start): Key => {
      return { algorithm: "sha256", digest: start + randomBytes(31).toString("hex"), size: 10 };
    });
    await withClient(config, async (client) => {
      await client.query(`CREATE SCHEMA ${config.schema}`);
      await client.query("CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL)");
      for (const { number, name, statements } of await migrations()) {
        if (number >= 5) continue;
        await client.query(statements);
        await client.query("INSERT INTO schema_migrations VALUES ($1, $2)", [number, name]);
      }
      for (const { digest } of keys) {
        await client.query("INSERT INTO blocks VALUES (decode($1, 'hex'), 10, 1)", [digest]);
      }
    });
    await using database = await PostgresDatabase.open(config);
    const others = keys.map((key) => ({ ...key, size: 11 }));
    expect(await findMissing(database, [...keys, ...others])).toEqual(others);
    await dropSchema(config);
  });

  test("A name of a schema that would need quotes is INVALID_ARGUMENT.", async () => {
    for (const schema of ["", "a b", 'a"; DROP', "Upper", "1a", "pg_own", "a".repeat(64)]) {
      await expect(migrate({ ...server().config, schema })).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
    }
  });

  (isOwnServer ? test : test.skip)("A database that acknowledges before it is durable is refused.", async () => {
    const config = ownSchema(server());
    await withClient(server().config, async (client) => {
      await client.query("CREATE ROLE careless LOGIN");
      await client.query("ALTER ROLE careless SET synchronous_commit = off");
      await expect(migrate({ ...config, user: "careless" })).rejects.toMatchObject({ reason: "UNSUPPORTED" });
      const migratedByOthers = { ...config, user: "careless", migrate: false };
      await expect(PostgresDatabase.open(migratedByOthers)).rejects.toMatchObject({
        reason: "UNSUPPORTED",
        message: expect.stringContaining("synchronous_commit"),
      });
      await client.query("DROP ROLE careless");
    });
  });

  (isOwnServer ? test : test.skip)("A user who may not use the schema is told what to grant.", async () => {
    const config = ownSchema(server());
    await migrate(config);
    await withClient(server().config, async (client) => {
      await client.query("CREATE ROLE stranger LOGIN");
      for (const migrate of [true, false]) {
        await expect(PostgresDatabase.open({ ...config, user: "stranger", migrate })).rejects.toMatchObject({
          reason: "UNSUPPORTED",
          message: expect.stringContaining("USAGE"),
        });
      }
      await client.query("DROP ROLE stranger");
    });
    await dropSchema(config);
  });
});
