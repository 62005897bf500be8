import type { Command } from "commander";
import type { Session } from "../session.ts";

const help = `
Brings the Postgres schema up to date, once for all services; they need the setting GRAVITON_POSTGRES_MIGRATE=false to
leave it at that. Any number may run at once: they take turns. The database is told by GRAVITON_POSTGRES_URL (or
GRAVITON_POSTGRES_URL_FILE, or the usual PG… variables), the schema by GRAVITON_POSTGRES_SCHEMA.

Examples:
  $ GRAVITON_POSTGRES_URL=postgres://graviton@127.0.0.1/graviton graviton migrate`;

/** `graviton migrate`. */
export function addMigrate(program: Command, session: Session): void {
  program
    .command("migrate")
    .description("bring the Postgres schema up to date")
    .addHelpText("after", help)
    .action(() => runMigrations(session));
}

async function runMigrations(session: Session): Promise<void> {
  const [{ migrate }, { readConfig }, { postgresConfig }] = await Promise.all([
    import("@graviton/postgres/migrate"),
    import("@graviton/service/settings"),
    import("@graviton/service/backend-config"),
  ]);
  const taken = await migrate(postgresConfig(readConfig("migrate", process.env)));
  for (const name of taken) await session.output.print(name, { migration: name });
  session.note(taken.length === 0 ? "the schema is up to date" : `${taken.length} migrations taken`);
}
