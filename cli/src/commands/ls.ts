import type { BlobInfo } from "@graviton/ports/blob-store";
import { formatKey } from "@graviton/ports/key";
import type { Command } from "commander";
import { type PageOptions, withPage } from "../arguments.ts";
import { blobLine, blobRecord } from "../blob-text.ts";
import type { Session } from "../session.ts";

const help = `
Examples:
  $ graviton ls
  $ graviton ls --long --limit 20
  $ graviton ls --json --after KEY`;

/** `graviton ls`. */
export function addLs(program: Command, session: Session): void {
  const command = program.command("ls").description("list the keys of all blobs, in order");
  withPage(command, "keys")
    .option("-l, --long", "with size, time and name")
    .addHelpText("after", help)
    .action((options: LsOptions) => ls(session, options));
}

interface LsOptions extends PageOptions {
  readonly long?: boolean;
}

async function ls(session: Session, { after, limit, long }: LsOptions): Promise<void> {
  const line = (info: BlobInfo) => (long ? blobLine(info) : formatKey(info.confirmed.key));
  await using blobs = (await session.stores()).blobs();
  for await (const info of blobs.list({ after, limit, ...session.call })) {
    await session.output.print(line(info), blobRecord(info));
  }
}
