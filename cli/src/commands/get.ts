import { resolveRange } from "@graviton/ports/byte-range";
import { parseKey } from "@graviton/ports/key";
import type { Command } from "commander";
import { type RangeOptions, rangeOf, withRange } from "../arguments.ts";
import { deliver } from "../deliver.ts";
import type { Session } from "../session.ts";

const help = `
The bytes go to standard output, or to a file that appears only once it is whole. A whole blob is hashed again on
arrival: bytes that are not those of the key are an error, and no file is left.

Examples:
  $ graviton get KEY > copy
  $ graviton get KEY -o copy
  $ graviton get KEY --offset 1MiB --length 512KiB | xxd`;

/** `graviton get`. */
export function addGet(program: Command, session: Session): void {
  const command = program
    .command("get")
    .description("fetch a blob, or a part of it")
    .argument("<key>", "algorithm:digest:size")
    .option("-o, --output <file>", "where to write it (standard output)");
  withRange(command)
    .addHelpText("after", help)
    .action((key: string, options: GetOptions) => get(session, key, options));
}

interface GetOptions extends RangeOptions {
  readonly output?: string;
}

async function get(session: Session, text: string, options: GetOptions): Promise<void> {
  const key = parseKey(text);
  const range = rangeOf(options);
  const span = resolveRange(range, key.size, text);
  const { verified } = await import("@graviton/client/verification");
  await using blobs = (await session.stores()).blobs();
  const bytes = verified(key, span, blobs.get(key, range, session.call));
  await deliver(session, bytes, options.output, span.end - span.start);
}
