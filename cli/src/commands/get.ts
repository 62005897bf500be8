import { type ByteRange, resolveRange } from "@graviton/ports/byte-range";
import { formatKey, type Key, parseKey } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";
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
  await using blobs = (await session.stores()).blobs();
  const bytes = checked(key, range, blobs.get(key, range, session.call));
  const size = range.offset > key.size ? undefined : sizeOf(key, range);
  await deliver(session, bytes, options.output, size);
}

/** Hands the bytes on, and ends with CORRUPT when they are too few, too many, or hash to another key. */
async function* checked(
  key: Key,
  range: ByteRange,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const { createHasher } = await import("@graviton/cas/hasher");
  const hasher = createHasher(key.algorithm);
  let size = 0;
  for await (const bytes of source) {
    hasher.update(bytes);
    size += bytes.length;
    yield bytes;
  }
  const expected = sizeOf(key, range);
  if (size !== expected) throw corrupt(key, `${size} bytes arrived instead of ${expected}`);
  const digest = expected === key.size ? hasher.digest() : key.digest;
  if (digest !== key.digest) throw corrupt(key, `its bytes hash to ${digest}`);
}

function sizeOf(key: Key, range: ByteRange): number {
  const { start, end } = resolveRange(range, key.size);
  return end - start;
}

function corrupt(key: Key, what: string): StorageError {
  const text = formatKey(key);
  return new StorageError("CORRUPT", `${text} did not arrive intact: ${what}`, { resource: text });
}
