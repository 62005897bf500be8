import { parseKey } from "@graviton/ports/key";
import { formatLocator } from "@graviton/ports/locator";
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
  const stores = await session.stores();
  await using blobs = stores.blobs();
  await using replicas = stores.replicas();
  let first = true;
  await session.forEach(keys, async (key) => {
    const info = await blobs.stat(key, session.call);
    const locators = (await replicas.replicas(key, session.call)).map(formatLocator);
    await session.output.print(`${first ? "" : "\n"}${blobText(info, locators)}`, { ...blobRecord(info), locators });
    first = false;
  });
}
