import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { PostgresDatabase } from "./database.ts";
import { isFromServer, postgresError } from "./errors.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { isOwnServer } from "./testing/postgres-server.ts";
import { ownSchema } from "./testing/postgres-subject.ts";
import { testDatabase } from "./testing/test-database.ts";

const secret = "s3cret";

test("A server that does not answer is UNAVAILABLE, and the error names neither it nor the password.", async () => {
  const port = await freePort();
  const connectionString = `postgres://someone:${secret}@127.0.0.1:${port}/somewhere`;
  const error = await failureOf(PostgresDatabase.open({ connectionString }));
  expect(error).toMatchObject({ reason: "UNAVAILABLE", resource: "Postgres", cause: { code: "ECONNREFUSED" } });
  expect(error.message).not.toMatch(new RegExp(`${secret}|someone|somewhere|${port}`));
});

test("A malformed connection string is INVALID_ARGUMENT, and no part of the error quotes it.", async () => {
  const error = await failureOf(PostgresDatabase.open({ connectionString: `postgres://u:${secret}@[::/db` }));
  expect(error).toMatchObject({ reason: "INVALID_ARGUMENT" });
  expect(error.cause).toBe(undefined);
  expect(String(error.stack)).not.toContain(secret);
});

test("An error that is none of the driver's comes back as it is.", () => {
  const bug = new TypeError("undefined is not a function");
  expect(postgresError(bug)).toBe(bug);
});

test.each([
  ["ECONNREFUSED", "UNAVAILABLE", /cannot be reached/],
  ["EPIPE", "UNAVAILABLE", /cannot be reached/],
  ["EMFILE", "EXHAUSTED", /file handle/],
  ["ENFILE", "EXHAUSTED", /file handle/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "UNAVAILABLE", /certificate/],
  ["SELF_SIGNED_CERT_IN_CHAIN", "UNAVAILABLE", /certificate/],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "UNAVAILABLE", /certificate/],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNAVAILABLE", /certificate/],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "UNAVAILABLE", /certificate/],
  ["CERT_HAS_EXPIRED", "UNAVAILABLE", /certificate/],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "UNAVAILABLE", /cannot be reached/],
])("%s is %s.", (code, reason, message) => {
  const cause = Object.assign(new Error(`${secret} failed`), { code });
  const error = postgresError(cause) as StorageError;
  expect(error).toMatchObject({ reason, resource: "Postgres", retryAfterMs: expect.any(Number), cause });
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain(secret);
});

test("An error that the user can do something about names the variable to change.", () => {
  const full = new Error("timeout exceeded when trying to connect");
  const refused = Object.assign(new Error("sorry, too many clients already"), { code: "53300" });
  for (const error of [full, refused]) {
    expect((postgresError(error) as StorageError).message).toContain("GRAVITON_POSTGRES_CONNECTIONS_MAX");
  }
});

test("A connection is of no use after any error but one that Postgres itself tells of.", () => {
  for (const code of ["23505", "57014", "XX001"]) expect(isFromServer(Object.assign(new Error(), { code }))).toBe(true);
  for (const code of ["EPIPE", "ECONNRESET", undefined])
    expect(isFromServer(Object.assign(new Error(), { code }))).toBe(false);
});

describePostgres("Errors of Postgres", (server) => {
  test.each([
    ["23505", "ALREADY_EXISTS"],
    ["57014", "UNAVAILABLE"],
    ["08006", "UNAVAILABLE"],
    ["57P01", "UNAVAILABLE"],
    ["57P03", "UNAVAILABLE"],
    ["58030", "UNAVAILABLE"],
    ["25006", "UNAVAILABLE"],
    ["42P01", "UNAVAILABLE"],
    ["42501", "UNAVAILABLE"],
    ["55P03", "UNAVAILABLE"],
    ["53100", "EXHAUSTED"],
    ["53200", "EXHAUSTED"],
    ["53300", "EXHAUSTED"],
    ["54000", "EXHAUSTED"],
    ["XX001", "CORRUPT"],
    ["40001", "CONFLICT"],
    ["40P01", "CONFLICT"],
  ])("SQLSTATE %s is %s.", async (code, reason) => {
    await using own = await testDatabase(server());
    const statement = `DO $$ BEGIN RAISE EXCEPTION '${secret}' USING ERRCODE = '${code}'; END $$`;
    const error = await failureOf(own.database.query(statement, []));
    expect(error).toMatchObject({ reason, cause: { code } });
    expect(error.message).not.toContain(secret);
  });

  (isOwnServer ? test : test.skip)("A user, and a database, that is not there is UNAVAILABLE.", async () => {
    for (const [wrong, code] of [
      [{ user: "stranger" }, "28000"],
      [{ database: "elsewhere" }, "3D000"],
    ] as const) {
      const error = await failureOf(PostgresDatabase.open({ ...ownSchema(server()), ...wrong }));
      expect(error).toMatchObject({ reason: "UNAVAILABLE", resource: "Postgres", cause: { code } });
    }
  });

  test("A statement that runs too long is UNAVAILABLE, and may be tried again.", async () => {
    await using own = await testDatabase(server(), { statementTimeoutMs: 50 });
    await expect(own.database.query("SELECT pg_sleep(600)", [])).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining("30 seconds"),
      retryAfterMs: expect.any(Number),
    });
  });

  test("Only the caller's own deadline is DEADLINE_EXCEEDED.", async () => {
    await using own = await testDatabase(server());
    const late = own.database.query("SELECT pg_sleep(600)", [], AbortSignal.timeout(50));
    await expect(late).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });
});

// biome-ignore lint/suspicious/noExplicitAny: what was thrown is what the test is about
async function failureOf(failing: Promise<unknown>): Promise<any> {
  return failing.then(
    () => expect(undefined).toBe("an error"),
    (error: unknown) => error,
  );
}

/** A port that nobody listens at. */
async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}
