import { expect, test } from "@jest/globals";
import { PostgresKeyValueStore } from "./key-value-store.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { testDatabase } from "./testing/test-database.ts";

const digest = "decode(repeat('ab', 32), 'hex')";
const key = `'blake3:' || repeat('ab', 32) || ':1'`;

describePostgres("What the tables refuse", (server) => {
  test.each([
    ["a digest that is too short", `INSERT INTO blocks VALUES ('\\xab', 1, 0)`],
    ["an empty block", `INSERT INTO blocks VALUES (${digest}, 0, 0)`],
    ["a block over the limit", `INSERT INTO blocks VALUES (${digest}, 16777217, 0)`],
    ["an unknown algorithm", `INSERT INTO blocks VALUES (${digest}, 1, 2)`],
    ["a page that holds half an entry", pageOf("repeat('ab', 60)")],
    ["a page over the limit", pageOf("repeat('ab', 18 + 36 * 1025)")],
    ["a malformed key", `INSERT INTO replicas VALUES ('md5:ab:1', '{pg://a/b}', 0)`],
    ["no locators", `INSERT INTO replicas VALUES (${key}, '{}', 0)`],
    ["a malformed locator among others", `INSERT INTO replicas VALUES (${key}, '{pg://a/b,nowhere}', 0)`],
    ["half a span", `INSERT INTO ranges VALUES ('pg://a/b', '\\xabcd', 0)`],
    ["a path that leads elsewhere", objectAt("a/../b")],
    ["a path without a name", objectAt("a//b")],
    ["a key over the limit", "INSERT INTO key_values VALUES (decode(repeat('ab', 1025), 'hex'), '', 0)"],
  ])("%s", async (_, statement) => {
    await using own = await testDatabase(server());
    await expect(own.database.query(statement, [])).rejects.toMatchObject({ code: "23514" });
  });

  test("Batches that name the same keys in opposite orders never fail.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresKeyValueStore(own.database);
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
    const batches = Array.from({ length: 20 }, (_, round) => {
      const order = round % 2 === 0 ? keys : [...keys].reverse();
      return store.batch(
        order.map((name, index) =>
          (index + round) % 3 === 0
            ? { kind: "delete", key: name }
            : { kind: "put", key: name, value: Buffer.from(`${round}`) },
        ),
      );
    });
    await Promise.all(batches);
  });
});

function pageOf(hex: string): string {
  return `WITH version AS (INSERT INTO manifest_versions DEFAULT VALUES RETURNING id)
    INSERT INTO manifest_pages SELECT id, 0, decode(${hex}, 'hex'), 0 FROM version`;
}

function objectAt(path: string): string {
  return `WITH version AS (INSERT INTO object_versions DEFAULT VALUES RETURNING id)
    INSERT INTO objects SELECT 'bucket', '${path}', id, 0, 1, 'etag' FROM version`;
}
