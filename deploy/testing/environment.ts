import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProcessName, processNames, readConfig, type Setting, settings } from "../../libs/service/src/settings.ts";
import { root } from "./checkers.ts";

/** Which process a command of the image starts. */
export function processOf(command: readonly string[]): ProcessName {
  const name = command.join(" ") === "cli/src/main.ts migrate" ? "migrate" : command[0]?.split("/")[1];
  const found = processNames.find((known) => known === name);
  if (found === undefined) throw new Error(`${command.join(" ")} starts no process that there is`);
  return found;
}

/**
 * What is wrong with an environment that a deployment gives to a process, as that process itself sees it. Files that
 * it names need not be there.
 */
export function faultsOf(process: ProcessName, environment: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), "graviton-secret-"));
  try {
    const secret = join(folder, "secret");
    writeFileSync(secret, "postgres://user:password@host:5432/database");
    const given = Object.entries({ ...imageEnvironment(), ...environment }).map(([name, value]) => [
      name,
      name.endsWith("_FILE") ? secret : value,
    ]);
    readConfig(process, Object.fromEntries(given));
  } catch (error) {
    return (error as Error).message.split("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
  const read = (Object.values(settings) as Setting[]).filter(({ processes }) => processes.includes(process));
  const names = read.flatMap(({ variable, secret }) => (secret ? [variable, `${variable}_FILE`] : [variable]));
  return Object.keys(environment)
    .filter((name) => !names.includes(name))
    .map((name) => `${name} is not read by ${process}`);
}

/** Variables whose values are nobody's business. */
export const secretVariables = (Object.values(settings) as Setting[]).flatMap(({ variable, secret }) =>
  secret ? [variable] : [],
);

/** What the image sets for all processes. */
export function imageEnvironment(): Record<string, string> {
  const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
  return Object.fromEntries(
    [...dockerfile.matchAll(/\b(GRAVITON_[A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
}
