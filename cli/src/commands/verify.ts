import { formatKey, type Key, parseKey } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";
import type { Command } from "commander";
import type { BlobCheck } from "../block-check.ts";
import type { Session } from "../session.ts";

const help = `
Reads every block again, hashes each and the whole on this side, and names all that are missing or damaged. The code
is 4 when there is one. Putting the same content again with --rewrite heals it.

Examples:
  $ graviton verify KEY
  $ graviton ls | xargs graviton verify`;

/** Tries of one read, some five seconds: as long as a server needs to restart. Who has read for hours does not begin anew. */
const attemptsMax = 8;

/** `graviton verify`. */
export function addVerify(program: Command, session: Session): void {
  program
    .command("verify")
    .description("read blobs again and hash every block on this side")
    .argument("<key...>", "algorithm:digest:size")
    .addHelpText("after", help)
    .action((keys: string[]) => verify(session, keys));
}

async function verify(session: Session, texts: readonly string[]): Promise<void> {
  const keys = texts.map(parseKey);
  const [{ checkBlob }, { Retries }] = await Promise.all([
    import("../block-check.ts"),
    import("@graviton/decorators/retries"),
  ]);
  const stores = await session.stores();
  await using manifests = stores.manifests();
  await using blocks = stores.blocks();
  const retries = new Retries({ attemptsMax });
  await session.forEach(keys, async (key) => {
    using progress = session.progress(key.size);
    const read = (bytes: number) => progress.add(bytes);
    const check = await checkBlob(key, { manifests, blocks, call: session.call, read, retries });
    progress.clear();
    await session.output.print(textOf(key, check), recordOf(key, check));
    if (!isIntact(check)) throw damaged(key, check);
  });
}

function isIntact({ badBlocks, problem }: BlobCheck): boolean {
  return badBlocks.length === 0 && problem === undefined;
}

function textOf(key: Key, check: BlobCheck): string {
  const bad = check.badBlocks.map(({ entry, problem }) => {
    return `  block ${formatKey(entry.block)} at offset ${entry.offset}: ${problem}`;
  });
  const whole = check.problem === undefined ? [] : [`  ${check.problem}`];
  return [`${formatKey(key)}  ${isIntact(check) ? "ok" : "DAMAGED"}`, ...bad, ...whole].join("\n");
}

function recordOf(key: Key, check: BlobCheck) {
  return {
    key: formatKey(key),
    ok: isIntact(check),
    blocks: check.blocks,
    badBlocks: check.badBlocks.map(({ entry, problem }) => {
      return { index: entry.index, offset: entry.offset, key: formatKey(entry.block), problem };
    }),
    problem: check.problem,
  };
}

function damaged(key: Key, { badBlocks, problem }: BlobCheck): StorageError {
  const text = formatKey(key);
  const what = problem ?? (badBlocks.length === 1 ? "1 block is bad" : `${badBlocks.length} blocks are bad`);
  return new StorageError("CORRUPT", `${text} is damaged: ${what}`, { resource: text });
}
