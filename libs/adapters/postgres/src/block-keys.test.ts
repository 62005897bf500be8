import { randomBytes } from "node:crypto";
import type { Key } from "@graviton/ports/key";
import { expect, test } from "@jest/globals";
import { findMissing, record } from "./block-keys.ts";
import type { PostgresDatabase } from "./database.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { testDatabase } from "./testing/test-database.ts";

describePostgres("The table of blocks", (server) => {
  test("knows a digest only with the size and the algorithm that were recorded with it", async () => {
    await using opened = await testDatabase(server());
    const digest = randomBytes(32).toString("hex");
    const known: Key[] = [
      { algorithm: "blake3", digest, size: 10 },
      { algorithm: "blake3", digest, size: 16_777_216 },
      { algorithm: "sha256", digest, size: 1 },
    ];
    const unknown: Key[] = [
      { algorithm: "blake3", digest, size: 1 },
      { algorithm: "sha256", digest, size: 10 },
      { algorithm: "blake3", digest, size: 0 },
      { algorithm: "blake3", digest, size: Number.MAX_SAFE_INTEGER },
    ];
    await record(opened.database, known);
    expect(await findMissing(opened.database, [...unknown, ...known])).toEqual(unknown);
    expect(await findMissing(opened.database, known)).toEqual([]);
  });

  test("is asked by its index, also where it is so small that to read it all looks cheaper", async () => {
    await using opened = await testDatabase(server());
    await record(opened.database, Array.from({ length: 100 }, randomKey));
    const scans = await opened.database.transaction(undefined, async (query) => {
      await query("SELECT blocks_that_start(ARRAY(SELECT generate_series(1, 1000)::bigint))");
      const { rows } = await query(
        "SELECT seq_scan = 0 AS none, idx_scan > 0 AS some FROM pg_stat_xact_user_tables WHERE relid = 'blocks'::regclass",
      );
      return rows[0];
    });
    expect(scans).toEqual({ none: true, some: true });
  });

  test("is asked about 14,000 keys by one statement", async () => {
    await using opened = await testDatabase(server());
    const keys = Array.from({ length: 14_000 }, randomKey);
    await record(opened.database, keys.slice(0, 7000));
    const statements: string[] = [];
    const query: PostgresDatabase["query"] = (statement, parameters, signal) => {
      statements.push(statement);
      return opened.database.query(statement, parameters, signal);
    };
    // Anything but a query fails on it.
    const counting: PostgresDatabase = Object.assign(Object.create(opened.database), { query });
    expect(await findMissing(counting, keys)).toEqual(keys.slice(7000));
    expect(statements).toHaveLength(1);
  });

  test("names what is missing in the order asked, as often as it was asked for", async () => {
    await using opened = await testDatabase(server());
    const keys = Array.from({ length: 3000 }, randomKey);
    await record(opened.database, keys.slice(0, 1000));
    const asked = [...keys.slice(500), ...keys.slice(2500)];
    expect(await findMissing(opened.database, asked)).toEqual([...keys.slice(1000), ...keys.slice(2500)]);
  });

  test.each(["00000000", "7fffffffffffffff", "80000000", "ffffffffffffffff"])(
    "keeps apart digests that all begin with %s",
    async (start) => {
      await using opened = await testDatabase(server());
      const keys = Array.from({ length: 100 }, () => ({
        ...randomKey(),
        digest: start + randomKey().digest.slice(start.length),
      }));
      await record(opened.database, keys.slice(0, 50));
      expect(await findMissing(opened.database, keys)).toEqual(keys.slice(50));
    },
  );
});

function randomKey(): Key {
  return { algorithm: "blake3", digest: randomBytes(32).toString("hex"), size: 4096 };
}
