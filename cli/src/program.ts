import { Command, CommanderError, Option } from "commander";
import packageFacts from "../package.json" with { type: "json" };
import { secondsArgument } from "./arguments.ts";
import { addConform } from "./commands/conform.ts";
import { addGet } from "./commands/get.ts";
import { addKv } from "./commands/kv.ts";
import { addLs } from "./commands/ls.ts";
import { addManifest } from "./commands/manifest.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addObject } from "./commands/object.ts";
import { addPut } from "./commands/put.ts";
import { addRm } from "./commands/rm.ts";
import { addServe } from "./commands/serve.ts";
import { addStat } from "./commands/stat.ts";
import { addVerify } from "./commands/verify.ts";
import { exitCodesHelp, exitOk, exitUsage } from "./exit-codes.ts";
import { type GlobalOptions, Session } from "./session.ts";

const examples = `Examples:
  $ graviton serve                        everything in one process, on ./graviton-data
  $ graviton put README.md                store a file; the answer is its key
  $ graviton get KEY -o copy.md           get it back, verified
  $ graviton --json ls | jq .key          one JSON object a line`;

/** Runs one command line and gives the code to exit with. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  await using session = new Session();
  const program = buildProgram(session);
  try {
    if (args.length === 0) return showHelp(program);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === exitOk) return exitOk;
    if (error instanceof CommanderError && error.code === "commander.help") return exitUsage;
    session.output.json ||= program.opts<GlobalOptions>().json === true;
    session.fail(error);
  }
  return session.exitCode;
}

function buildProgram(session: Session): Command {
  const program = new Command("graviton")
    .description("Content-addressable storage: any stream of bytes, stored once, found by what it is.")
    .version(packageFacts.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .addOption(
      new Option("--endpoint <url>", "the service to call").env("GRAVITON_ENDPOINT").default("http://127.0.0.1:7480"),
    )
    .option("--json", "print one JSON object a line")
    .option("-q, --quiet", "no progress and no totals on standard error")
    .addOption(new Option("--timeout <seconds>", "give up after this long").argParser(secondsArgument))
    .addHelpText("after", `\n${examples}\n\n${exitCodesHelp}`)
    .exitOverride()
    // Failures are reported in one place, whatever they come from.
    .configureOutput({ outputError() {} })
    .hook("preAction", (_, command) => session.configure(command.optsWithGlobals<GlobalOptions>()));
  for (const add of [addServe, addPut, addGet, addStat, addLs, addRm, addVerify, addManifest, addObject, addKv]) {
    add(program, session);
  }
  addConform(program, session);
  addMigrate(program, session);
  return program;
}

function showHelp(program: Command): number {
  program.outputHelp({ error: true });
  return exitUsage;
}
