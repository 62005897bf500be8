import type { KeyValuePair } from "@graviton/ports/key-value-store";
import { keyValueValueBytesMax } from "@graviton/ports/limits";
import { type Command, Option } from "commander";
import { limitArgument } from "../arguments.ts";
import { CommandError } from "../failure.ts";
import { printable } from "../printable.ts";
import type { Session } from "../session.ts";

const help = `
Names and values: a name is any text of up to 1 KiB, a value any bytes up to 1 MiB.

Examples:
  $ graviton kv put greeting hello
  $ graviton kv put config - < config.json
  $ graviton kv get greeting
  $ graviton kv scan user/ --values`;

/** `graviton kv`. */
export function addKv(program: Command, session: Session): void {
  const kv = program.command("kv").description("small values under names").addHelpText("after", help);
  kv.command("get")
    .description("print a value, as the bytes that it is")
    .argument("<key>", "the name")
    .addHelpText("after", "\nExample:\n  $ graviton kv get greeting")
    .action((key: string) => get(session, key));
  kv.command("put")
    .description("store a value, and replace what was there")
    .argument("<key>", "the name")
    .argument("<value>", "the value, or - for standard input")
    .addHelpText("after", "\nExamples:\n  $ graviton kv put greeting hello\n  $ graviton kv put config - < config.json")
    .action((key: string, value: string) => put(session, key, value));
  kv.command("rm")
    .description("remove values; one that is not there is a success")
    .argument("<key...>", "the names")
    .addHelpText("after", "\nExample:\n  $ graviton kv rm greeting")
    .action((keys: string[]) => remove(session, keys));
  kv.command("scan")
    .description("list names in the order of their bytes")
    .argument("[prefix]", "only names that begin with it", "")
    .option("--from <key>", "only names from this one on")
    .option("--after <key>", "only names after this one")
    .option("--before <key>", "only names before this one")
    .addOption(new Option("--limit <number>", "how many at most").argParser(limitArgument))
    .option("--values", "print the values too, behind a tab")
    .addHelpText("after", "\nExamples:\n  $ graviton kv scan user/\n  $ graviton kv scan user/ --values --limit 10")
    .action((prefix: string, options: ScanOptions) => scan(session, prefix, options));
}

interface ScanOptions {
  readonly from?: string;
  readonly after?: string;
  readonly before?: string;
  readonly limit?: number;
  readonly values?: boolean;
}

async function get(session: Session, key: string): Promise<void> {
  await using keyValues = (await session.stores()).keyValues();
  const value = await keyValues.get(key, session.call);
  if (value === undefined) {
    throw new CommandError("NOT_FOUND", `no value under ${JSON.stringify(key)}`, { resource: key });
  }
  if (session.output.json) await session.output.printJson(recordOf({ key, value }));
  else await session.output.bytes(value);
}

async function put(session: Session, key: string, text: string): Promise<void> {
  const value = text === "-" ? await readInput() : Buffer.from(text);
  await using keyValues = (await session.stores()).keyValues();
  await keyValues.put(key, value, session.call);
  await session.output.printJson({ key, size: value.length });
}

async function remove(session: Session, keys: readonly string[]): Promise<void> {
  await using keyValues = (await session.stores()).keyValues();
  await session.forEach(keys, async (key) => {
    await keyValues.delete(key, session.call);
    await session.output.printJson({ key });
  });
}

async function scan(session: Session, prefix: string, { values, ...bounds }: ScanOptions): Promise<void> {
  await using keyValues = (await session.stores()).keyValues();
  for await (const pair of keyValues.scan({ prefix, ...bounds }, session.call)) {
    const name = printable(pair.key);
    const line = values ? `${name}\t${printable(Buffer.from(pair.value).toString())}` : name;
    await session.output.print(line, recordOf(pair));
  }
}

/** Text is shown as text; bytes that are none are shown in base64. */
function recordOf({ key, value }: KeyValuePair) {
  try {
    return { key, value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value) };
  } catch {
    return { key, valueBase64: Buffer.from(value).toString("base64") };
  }
}

/** Reads no more than a value may have, and one byte by which the store sees that it is too much. */
async function readInput(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of process.stdin) {
    parts.push(bytes);
    size += bytes.length;
    if (size > keyValueValueBytesMax) break;
  }
  return Buffer.concat(parts);
}
