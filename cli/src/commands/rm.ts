import { formatKey, parseKey } from "@graviton/ports/key";
import type { Command } from "commander";
import type { Session } from "../session.ts";

const help = `
A blob that is not there is a success. Blocks stay, since other blobs may share them.

Examples:
  $ graviton rm KEY
  $ graviton ls | xargs graviton rm`;

/** `graviton rm`. */
export function addRm(program: Command, session: Session): void {
  program
    .command("rm")
    .description("forget blobs")
    .argument("<key...>", "algorithm:digest:size")
    .addHelpText("after", help)
    .action((keys: string[]) => rm(session, keys));
}

async function rm(session: Session, texts: readonly string[]): Promise<void> {
  const keys = texts.map(parseKey);
  await using blobs = (await session.stores()).blobs();
  await session.forEach(keys, async (key) => {
    await blobs.delete(key, session.call);
    await session.output.printJson({ key: formatKey(key) });
  });
}
