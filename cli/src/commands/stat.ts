import { parseKey } from "@graviton/ports/key";
import type { Command } from "commander";
import { blobRecord, blobText } from "../blob-text.ts";
import type { Session } from "../session.ts";

const help = `
Examples:
  $ graviton stat KEY
  $ graviton stat KEY1 KEY2 --json`;

/** `graviton stat`. */
export function addStat(program: Command, session: Session): void {
  program
    .command("stat")
    .description("show what is known of blobs")
    .argument("<key...>", "algorithm:digest:size")
    .addHelpText("after", help)
    .action((keys: string[]) => stat(session, keys));
}

async function stat(session: Session, texts: readonly string[]): Promise<void> {
  const keys = texts.map(parseKey);
  await using blobs = (await session.stores()).blobs();
  let first = true;
  await session.forEach(keys, async (key) => {
    const info = await blobs.stat(key, session.call);
    await session.output.print(`${first ? "" : "\n"}${blobText(info)}`, blobRecord(info));
    first = false;
  });
}
