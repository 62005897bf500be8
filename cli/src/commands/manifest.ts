import { formatKey, parseKey } from "@graviton/ports/key";
import type { ManifestEntry } from "@graviton/ports/manifest";
import type { Command } from "commander";
import type { Session } from "../session.ts";

const help = `
One line a block: its place, its offset, its size and its key, separated by tabs.

Examples:
  $ graviton manifest KEY
  $ graviton manifest KEY --json`;

/** `graviton manifest`. */
export function addManifest(program: Command, session: Session): void {
  program
    .command("manifest")
    .description("list the blocks of a blob")
    .argument("<key>", "algorithm:digest:size")
    .addHelpText("after", help)
    .action((key: string) => manifest(session, key));
}

async function manifest(session: Session, text: string): Promise<void> {
  const key = parseKey(text);
  await using manifests = (await session.stores()).manifests();
  for await (const page of manifests.get(key, session.call)) {
    for (const entry of page) {
      const record = recordOf(entry);
      await session.output.print(Object.values(record).join("\t"), record);
    }
  }
}

function recordOf({ index, offset, block }: ManifestEntry) {
  return { index, offset, size: block.size, key: formatKey(block) };
}
