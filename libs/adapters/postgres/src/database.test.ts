import { expect, jest, test } from "@jest/globals";
import { PostgresDatabase } from "./database.ts";
import { connectionTimeoutMsDefault, statementTimeoutMsDefault } from "./limits.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresGate } from "./testing/postgres-gate.ts";
import { withClient } from "./testing/postgres-subject.ts";
import { countOf, testDatabase, until } from "./testing/test-database.ts";

describePostgres("PostgresDatabase", (server) => {
  test("A call that is aborted while its statement runs ends with CANCELLED, and its connection is replaced.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1 });
    const abort = new AbortController();
    const marker = `/* ${own.config.schema} */`;
    const running = own.database.query(`SELECT pg_sleep(600) ${marker}`, [], abort.signal);
    const observed = expect(running).rejects.toMatchObject({ reason: "CANCELLED" });
    await withClient(server().config, (client) =>
      until(async () => {
        const active = "SELECT FROM pg_stat_activity WHERE position($1 IN query) > 0 AND pid <> pg_backend_pid()";
        return (await client.query(active, [marker])).rowCount === 1;
      }),
    );
    abort.abort();
    await observed;
    expect(await countOf(own.database, "blocks")).toBe(0);
  });

  test("A call that is aborted while it waits for a connection ends with CANCELLED.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1 });
    const held = Promise.withResolvers<void>();
    const holding = own.database.transaction(undefined, () => held.promise);
    const abort = new AbortController();
    const waiting = own.database.query("SELECT 1", [], abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ reason: "CANCELLED" });
    held.resolve();
    await holding;
    expect(await countOf(own.database, "blocks")).toBe(0);
  });

  test("When every connection is in use for too long a call is EXHAUSTED and may be tried again.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1, connectionTimeoutMs: 200 });
    const held = Promise.withResolvers<void>();
    const holding = own.database.transaction(undefined, () => held.promise);
    await expect(own.database.query("SELECT 1", [])).rejects.toMatchObject({
      reason: "EXHAUSTED",
      retryAfterMs: expect.any(Number),
    });
    held.resolve();
    await holding;
    expect(await countOf(own.database, "blocks")).toBe(0);
  });

  test("A snapshot takes no connection from short calls.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1, connectionTimeoutMs: 200 });
    await using snapshot = await own.database.snapshot();
    await own.database.query("INSERT INTO key_values VALUES ('a', 'b', 0)", []);
    expect((await snapshot.query("SELECT FROM key_values", [])).count).toBe(1);
    await own.database.query("DELETE FROM key_values", []);
    expect((await snapshot.query("SELECT FROM key_values", [])).count).toBe(1);
  });

  test("Connections of short calls and of snapshots are counted together.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1 });
    await own.database.check();
    const first = await own.database.snapshot();
    const second = own.database.snapshot();
    const counted = own.database.connections;
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    expect(counted).toEqual({ busy: 1, idle: 1, waiting: 1 });
    expect(own.database.connections).toEqual({ busy: 0, idle: 2, waiting: 0 });
  });

  test("A snapshot that pauses for too long ends in UNAVAILABLE, and the process lives on.", async () => {
    await using own = await testDatabase(server(), { snapshotIdleTimeoutMs: 20 });
    await using snapshot = await own.database.snapshot();
    const { rows } = await snapshot.query<{ pid: number }>("SELECT pg_backend_pid() AS pid", []);
    await until(async () => (await countOf(own.database, `pg_stat_activity WHERE pid = ${rows[0]?.pid}`)) === 0);
    await expect(snapshot.query("SELECT 1", [])).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("A connection that breaks within a transaction is UNAVAILABLE, and the next call has another.", async () => {
    await using own = await testDatabase(server(), { poolMax: 1 });
    const broken = own.database.transaction(undefined, async (query) => {
      await query("INSERT INTO key_values VALUES ('a', 'b', 0)");
      const { rows } = await query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      await withClient(server().config, (client) => client.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]));
      await query("SELECT 1");
    });
    await expect(broken).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect(await countOf(own.database, "key_values")).toBe(0);
  });

  test("A server that vanishes without a word is UNAVAILABLE after a while, and later calls have new connections.", async () => {
    await using own = await testDatabase(server());
    await using gate = await postgresGate(server());
    await gate.open();
    await using database = await PostgresDatabase.open({ connectionString: gate.url, schema: own.config.schema });
    await database.check();
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask"] });
    try {
      const call = expect(database.query("SELECT 1", [])).rejects.toMatchObject({ reason: "UNAVAILABLE" });
      gate.vanish();
      await jest.advanceTimersByTimeAsync(statementTimeoutMsDefault + connectionTimeoutMsDefault);
      await call;
    } finally {
      jest.useRealTimers();
    }
    expect(database.connections).toEqual({ busy: 0, idle: 0, waiting: 0 });
    await gate.open();
    await database.check();
  });

  test("Idle connections that break are replaced without anybody noticing.", async () => {
    await using own = await testDatabase(server());
    const { rows } = await own.database.query<{ pid: number }>("SELECT pg_backend_pid() AS pid", []);
    await withClient(server().config, async (client) => {
      await client.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
      const there = "SELECT FROM pg_stat_activity WHERE pid = $1";
      await until(async () => (await client.query(there, [rows[0]?.pid])).rowCount === 0);
    });
    await until(() =>
      own.database
        .query("SELECT 1", [])
        .then(() => true)
        .catch(() => false),
    );
  });

  test("Transactions that lock each other out are tried again until both succeed.", async () => {
    await using own = await testDatabase(server());
    await own.database.query("INSERT INTO key_values VALUES ('a', '', 0), ('b', '', 0)", []);
    const gate = Promise.withResolvers<void>();
    let arrived = 0;
    const lockBoth = (first: string, second: string) =>
      own.database.transaction(undefined, async (query) => {
        const change = "UPDATE key_values SET checksum = checksum + 1 WHERE key = convert_to($1, 'UTF8')";
        await query(change, [first]);
        arrived += 1;
        if (arrived === 2) gate.resolve();
        await gate.promise;
        await query(change, [second]);
      });
    await Promise.all([lockBoth("a", "b"), lockBoth("b", "a")]);
    expect(arrived).toBeGreaterThan(2);
    expect(await countOf(own.database, "key_values WHERE checksum = 2")).toBe(2);
  });

  test("Whatever is asked after dispose is UNAVAILABLE.", async () => {
    await using own = await testDatabase(server());
    await own.database[Symbol.asyncDispose]();
    await expect(own.database.query("SELECT 1", [])).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    await expect(own.database.snapshot()).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });
});
