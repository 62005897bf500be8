import { afterAll, beforeAll, describe, test } from "@jest/globals";
import { type PostgresServer, postgresServer, whyUnavailable } from "./postgres-server.ts";

/**
 * Describes tests that need a Postgres, which runs from the first to the last of them. Where there is none they show as
 * skipped, with the reason in their name; on a CI, where there has to be one, they fail.
 *
 * @param define gets the server's getter, to be called within tests only
 */
export function describePostgres(what: string, define: (server: () => PostgresServer) => void): void {
  const reason = whyUnavailable();
  if (reason !== undefined) {
    const missing = `${what} (skipped: ${reason})`;
    if (process.env.CI) test(missing, () => Promise.reject(new Error(reason)));
    else test.skip(missing, () => {});
    return;
  }
  describe(what, () => {
    let server: PostgresServer | undefined;
    beforeAll(async () => {
      server = await postgresServer();
    }, startMsMax);
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
    }, startMsMax);
    define(() => {
      if (server === undefined) throw new Error("the server runs only while its tests do");
      return server;
    });
  });
}

/** Starting takes a second or two on an idle machine. */
const startMsMax = 60_000;
