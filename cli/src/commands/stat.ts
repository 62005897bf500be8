import type { CallOptions } from "@graviton/ports/call-options";
import { type Key, parseKey } from "@graviton/ports/key";
import { formatLocator } from "@graviton/ports/locator";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { hasReason } from "@graviton/ports/storage-error";
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
    const locators = await locatorsOf(replicas, key, session.call);
    const text = blobText(info, locators ?? []);
    await session.output.print(`${first ? "" : "\n"}${text}`, { ...blobRecord(info), locators });
    first = false;
  });
}

/** Where the blob's blocks are; undefined from a service that does not tell. */
async function locatorsOf(replicas: ReplicaIndex, key: Key, call: CallOptions): Promise<string[] | undefined> {
  try {
    return (await replicas.replicas(key, call)).map(formatLocator);
  } catch (error) {
    if (hasReason(error, "UNSUPPORTED")) return undefined;
    throw error;
  }
}
