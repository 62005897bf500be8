import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  type MethodDescriptorProto,
} from "@bufbuild/protobuf/wkt";

const root = join(import.meta.dirname, "../..");

/** The packages in the order of the page: what most callers need comes first, what all of them share last. */
const packages = ["blob", "object", "kv", "block", "manifest", "replica", "range", "core"];

/** The page about the wire, `docs/api.md`: an introduction written by hand, then what the comments in the protos say. */
export async function apiDocument(): Promise<string> {
  const files = (await readProtos()).filter((file) => file.package.startsWith("graviton."));
  const placeOf = (file: FileDescriptorProto) => packages.indexOf(file.package.split(".")[1] ?? "");
  for (const file of files) found(placeOf(file) < 0 ? undefined : file, `the place of ${file.package} on the page`);
  const sections = files.sort((a, b) => placeOf(a) - placeOf(b)).map(sectionOf);
  const introduction = await readFile(join(import.meta.dirname, "api-introduction.md"), "utf8");
  const page = [introduction.trim().replace("<!-- reasons -->", await reasonsTable()), ...sections].join("\n\n");
  checkLinks(page);
  return `${page}\n`;
}

async function readProtos(): Promise<FileDescriptorProto[]> {
  const buf = join(root, "node_modules/.bin/buf");
  const args = ["build", "--as-file-descriptor-set", "--output", "-"];
  const { stdout } = await promisify(execFile)(buf, args, { cwd: root, encoding: "buffer", maxBuffer: 2 ** 26 });
  return fromBinary(FileDescriptorSetSchema, stdout).file;
}

/** Reason, gRPC code, and when, from the two tables of the code: the comments on the reasons, and what each is mapped to. */
async function reasonsTable(): Promise<string> {
  const reasons = await readFile(join(root, "libs/ports/src/storage-error.ts"), "utf8");
  const codes = await readFile(join(root, "libs/rpc/src/errors.ts"), "utf8");
  const codeOf = new Map(
    [...codes.matchAll(/^ {2}([A-Z_]+): Code\.(\w+),$/gm)].map(([, reason, code]) => [reason, code]),
  );
  const described = [...reasons.matchAll(/\/\*\* (.+) \*\/\n {2}\| "([A-Z_]+)"/g)];
  if (described.length !== codeOf.size)
    throw new Error(`${codeOf.size} reasons have codes, ${described.length} comments`);
  const rows = described.map(([, when = "", reason]) => [`\`${reason}\``, `\`${grpcName(codeOf.get(reason))}\``, when]);
  return table(["reason", "gRPC code", "when"], rows);
}

function grpcName(code: string | undefined): string {
  const name = found(code, "the code of a reason");
  return name === "Canceled" ? "CANCELLED" : name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

/** One package: its services with their methods, then the messages and enums that several methods may use. */
function sectionOf(file: FileDescriptorProto): string {
  const comments = commentsOf(file);
  const messages = new Map(
    file.messageType.map((message, at) => [`.${file.package}.${message.name}`, { message, at }]),
  );
  const parts = [`## ${file.package}`, comments(12)];
  for (const [service, { name, method }] of file.service.entries()) {
    parts.push(`\`${file.package}.${name}\`: ${comments(6, service)}`);
    for (const [at, rpc] of method.entries()) {
      parts.push(`### ${rpc.name}`, comments(6, service, 2, at), `\`${signatureOf(rpc)}\`, ${shapeOf(rpc)}`);
      for (const type of [rpc.inputType, rpc.outputType]) {
        const { message, at } = found(messages.get(type), type);
        messages.delete(type);
        parts.push(bodyOf(message, comments(4, at), (...path) => comments(4, at, ...path)));
      }
    }
  }
  for (const { message, at } of messages.values()) {
    parts.push(
      `### ${message.name}`,
      comments(4, at),
      fieldsTable(message, (...path) => comments(4, at, ...path)),
    );
  }
  for (const [at, { name, value }] of file.enumType.entries()) {
    const rows = value.map((one, place) => [`\`${one.name}\``, String(one.number), comments(5, at, 2, place)]);
    parts.push(`### ${name}`, comments(5, at), table(["value", "number", "meaning"], rows));
  }
  return parts.filter((part) => part !== "").join("\n\n");
}

/** Finds the comment before a declaration by its path, as `google.protobuf.SourceCodeInfo` describes paths. */
type Comments = (...path: number[]) => string;

function commentsOf(file: FileDescriptorProto): Comments {
  const locations = file.sourceCodeInfo?.location ?? [];
  const texts = new Map(locations.map(({ path, leadingComments }) => [path.join("."), leadingComments]));
  return (...path) => (texts.get(path.join(".")) ?? "").trim().replaceAll(/\s+/g, " ");
}

function signatureOf({ inputType, outputType, clientStreaming, serverStreaming }: MethodDescriptorProto): string {
  const side = (type: string, streams: boolean) => `${streams ? "stream " : ""}${shortName(type)}`;
  return `${side(inputType, clientStreaming)} → ${side(outputType, serverStreaming)}`;
}

function shapeOf({ clientStreaming, serverStreaming }: MethodDescriptorProto): string {
  if (clientStreaming && serverStreaming) return "streaming both ways";
  if (clientStreaming) return "client streaming";
  return serverStreaming ? "server streaming" : "unary";
}

/** A message that only one method uses, as a part of that. */
function bodyOf(message: DescriptorProto, about: string, comments: Comments): string {
  const name = `**${message.name}**: ${about}`;
  return message.field.length === 0 ? `${name} It has no fields.` : `${name}\n\n${fieldsTable(message, comments)}`;
}

/** Fields in the order of the file; those of which a message has only one stand together, below the name of the choice. */
function fieldsTable(message: DescriptorProto, comments: Comments): string {
  const rows: string[][] = [];
  let choice: number | undefined;
  for (const [at, field] of message.field.entries()) {
    const oneof = choiceOf(field);
    if (oneof !== undefined && oneof !== choice) {
      rows.push([`*${message.oneofDecl[oneof]?.name}*`, "one of", comments(8, oneof)]);
    }
    choice = oneof;
    const name = `${oneof === undefined ? "" : "· "}\`${field.name}\``;
    rows.push([name, typeOf(field, message), comments(2, at)]);
  }
  return table(["field", "type", "meaning"], rows);
}

/** The index of the choice that a field belongs to. An optional field is the only one of a choice that nobody wrote. */
function choiceOf(field: FieldDescriptorProto): number | undefined {
  const belongs = isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex) && !field.proto3Optional;
  return belongs ? field.oneofIndex : undefined;
}

function typeOf(field: FieldDescriptorProto, message: DescriptorProto): string {
  const entry = message.nestedType.find(
    ({ name, options }) => options?.mapEntry && field.typeName.endsWith(`.${name}`),
  );
  if (entry !== undefined) return `map of ${entry.field.map((part) => typeOf(part, entry)).join(" to ")}`;
  if (field.label === FieldDescriptorProto_Label.REPEATED) return `repeated ${nameOfType(field)}`;
  return field.proto3Optional ? `optional ${nameOfType(field)}` : nameOfType(field);
}

function nameOfType({ type, typeName }: FieldDescriptorProto): string {
  if (typeName === "") return FieldDescriptorProto_Type[type].toLowerCase();
  return `[${shortName(typeName)}](#${shortName(typeName).toLowerCase()})`;
}

function shortName(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is not where it is looked for`);
  return value;
}

/** Headings make the anchors that links lead to: no two may be the same, and none may be missing. */
function checkLinks(page: string): void {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) => text);
  const anchors = headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  const twice = anchors.find((anchor, at) => anchors.indexOf(anchor) !== at);
  if (twice !== undefined) throw new Error(`two headings have the anchor ${twice}`);
  const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor = ""]) => anchor);
  for (const link of links) found(anchors.includes(link) || undefined, `#${link}`);
}

if (import.meta.main) await writeFile(join(root, "docs/api.md"), await apiDocument());
