import { sourceOf, uploadOf, uploadOfFile } from "@graviton/client/uploads";
import { formatLocator, parseLocator, parseLocatorPrefix } from "@graviton/ports/locator";
import type { ObjectInfo } from "@graviton/ports/object-store";
import type { Command } from "commander";
import { type PageOptions, type RangeOptions, rangeOf, withPage, withRange } from "../arguments.ts";
import { deliver } from "../deliver.ts";
import { usageError } from "../failure.ts";
import type { Session } from "../session.ts";
import { formatSize } from "../sizes.ts";
import { isFolder } from "../uploads.ts";

const help = `
An object is bytes under a name, fs://bucket/path in the embedded service. Unlike a blob it can be replaced.

Examples:
  $ graviton object put fs://photos/2026/cat.jpg cat.jpg
  $ graviton object get fs://photos/2026/cat.jpg -o copy.jpg
  $ graviton object ls fs://photos/2026/`;

/** `graviton object`. */
export function addObject(program: Command, session: Session): void {
  const object = program.command("object").description("objects: bytes under a name").addHelpText("after", help);
  object
    .command("put")
    .description("store a file or standard input, and replace what was there")
    .argument("<locator>", "scheme://bucket/path")
    .argument("<path>", "a file, or - for standard input")
    .option("--if-absent", "refuse when there is an object already")
    .addHelpText(
      "after",
      "\nExamples:\n  $ graviton object put fs://bucket/name FILE\n  $ date | graviton object put fs://bucket/now -",
    )
    .action((locator: string, path: string, options: PutOptions) => put(session, locator, path, options));
  withRange(object.command("get"))
    .description("fetch an object, or a part of it")
    .argument("<locator>", "scheme://bucket/path")
    .option("-o, --output <file>", "where to write it (standard output)")
    .addHelpText("after", "\nExample:\n  $ graviton object get fs://bucket/name -o copy")
    .action((locator: string, options: GetOptions) => get(session, locator, options));
  object
    .command("head")
    .description("show what is known of objects")
    .argument("<locator...>", "scheme://bucket/path")
    .addHelpText("after", "\nExample:\n  $ graviton object head fs://bucket/name --json")
    .action((locators: string[]) => head(session, locators));
  withPage(object.command("ls"), "paths")
    .description("list the objects of a bucket, in the order of their paths")
    .argument("<prefix>", "scheme://bucket/beginning-of-paths")
    .option("-l, --long", "with size and time")
    .addHelpText("after", "\nExample:\n  $ graviton object ls fs://bucket/2026/ --long")
    .action((prefix: string, options: ListOptions) => list(session, prefix, options));
  object
    .command("rm")
    .description("remove objects; one that is not there is a success")
    .argument("<locator...>", "scheme://bucket/path")
    .addHelpText("after", "\nExample:\n  $ graviton object rm fs://bucket/name")
    .action((locators: string[]) => remove(session, locators));
  object
    .command("cp")
    .description("copy an object within the service")
    .argument("<from>", "scheme://bucket/path")
    .argument("<to>", "scheme://bucket/path")
    .addHelpText("after", "\nExample:\n  $ graviton object cp fs://bucket/name fs://bucket/other")
    .action((from: string, to: string) => copy(session, from, to));
}

interface PutOptions {
  readonly ifAbsent?: boolean;
}

interface GetOptions extends RangeOptions {
  readonly output?: string;
}

interface ListOptions extends PageOptions {
  readonly long?: boolean;
}

async function put(session: Session, text: string, path: string, { ifAbsent }: PutOptions): Promise<void> {
  const locator = parseLocator(text);
  if (await isFolder(path)) throw usageError(`${path} is a folder: an object is one file`);
  const upload = path === "-" ? uploadOf(process.stdin) : await uploadOfFile(path);
  await using objects = (await session.stores()).objects();
  using progress = session.progress(upload.totalBytes);
  const source = sourceOf({ ...upload, open: () => progress.counted(upload.open()) });
  const info = await objects.put(locator, source, { ifAbsent, ...session.call });
  progress.clear();
  await session.output.print(formatLocator(info.locator), recordOf(info));
}

async function get(session: Session, text: string, options: GetOptions): Promise<void> {
  const locator = parseLocator(text);
  await using objects = (await session.stores()).objects();
  await deliver(session, objects.get(locator, rangeOf(options), session.call), options.output, undefined);
}

async function head(session: Session, texts: readonly string[]): Promise<void> {
  const locators = texts.map(parseLocator);
  await using objects = (await session.stores()).objects();
  await session.forEach(locators, async (locator) => {
    const info = await objects.head(locator, session.call);
    await session.output.print(longLine(info), recordOf(info));
  });
}

async function list(session: Session, text: string, { after, limit, long }: ListOptions): Promise<void> {
  // A bucket alone stands for all that is in it.
  const prefix = parseLocatorPrefix(/^[a-z0-9]+:\/\/[^/]+$/.test(text) ? `${text}/` : text);
  await using objects = (await session.stores()).objects();
  for await (const info of objects.list(prefix, { after, limit, ...session.call })) {
    await session.output.print(long ? longLine(info) : formatLocator(info.locator), recordOf(info));
  }
}

async function remove(session: Session, texts: readonly string[]): Promise<void> {
  const locators = texts.map(parseLocator);
  await using objects = (await session.stores()).objects();
  await session.forEach(locators, async (locator) => {
    await objects.delete(locator, session.call);
    await session.output.printJson({ locator: formatLocator(locator) });
  });
}

async function copy(session: Session, from: string, to: string): Promise<void> {
  const [source, target] = [parseLocator(from), parseLocator(to)];
  await using objects = (await session.stores()).objects();
  const info = await objects.copy(source, target, session.call);
  await session.output.print(formatLocator(info.locator), recordOf(info));
}

function recordOf({ locator, size, modifiedAt, etag }: ObjectInfo) {
  return { locator: formatLocator(locator), size, modifiedAt: new Date(modifiedAt).toISOString(), etag };
}

function longLine({ locator, size, modifiedAt }: ObjectInfo): string {
  return [formatLocator(locator), formatSize(size), new Date(modifiedAt).toISOString()].join("\t");
}
