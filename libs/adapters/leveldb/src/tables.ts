import type { Key } from "@graviton/ports/key";
import { safeInteger, safeIntegerBytes } from "./safe-integer.ts";

/**
 * One LevelDB holds every store of a process: each key begins with the byte of its table. A table's byte and what
 * follows it never change their meaning within one format version.
 */
const tables = {
  /** `format` → the line that says the format. */
  meta: 0x00,
  /** key in UTF-8 → value of the key-value store. */
  pairs: 0x01,
  /** scan, key in UTF-8 → what the pair was when the scan began. */
  undo: 0x02,
  /** blob key's text → manifest header. */
  manifests: 0x03,
  /** generation, offset of the first entry → page of entries. */
  pages: 0x04,
  /** generation → nothing. Its pages belong to no manifest: not yet, or not any more. */
  loosePages: 0x05,
  /** algorithm, digest, size → nothing. The block has been recorded. */
  blocks: 0x06,
  /** content key's text → its locators. */
  replicas: 0x07,
  /** locator's text → its spans. */
  spans: 0x08,
} as const;

export type Table = keyof typeof tables;

/** The bytes of a record's key. */
export function recordKey(table: Table, ...parts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat([Buffer.of(tables[table]), ...parts.map((part) => Buffer.from(part as string))]);
}

/** What errors call a record: its key as the user of its store knows it, where that is a text. */
export function recordName(key: Buffer): string {
  const table = Object.entries(tables).find(([, byte]) => byte === key[0])?.[0] as Table | undefined;
  switch (table) {
    case "pages":
    case "loosePages":
    case "blocks":
      return `${table} ${key.toString("hex", 1)}`;
    case "undo":
      return key.toString("utf8", 1 + safeIntegerBytes);
    default:
      return key.toString("utf8", 1);
  }
}

/** The bounds of all keys that begin with these parts. */
export function recordRange(table: Table, ...parts: readonly (string | Uint8Array)[]): { gte: Buffer; lt: Buffer } {
  const gte = recordKey(table, ...parts);
  return { gte, lt: afterPrefix(gte) };
}

/** What comes first after all keys that begin with the prefix. */
export function afterPrefix(prefix: Buffer): Buffer {
  let end = prefix.length;
  while (prefix[end - 1] === 0xff) end -= 1;
  const after = Buffer.from(prefix.subarray(0, end));
  after[end - 1] = (after[end - 1] ?? 0) + 1;
  return after;
}

/** What comes first after this one key. */
export function afterKey(key: Uint8Array): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

/** The key of the record that says that a block has been recorded. */
export function blockRecordKey({ algorithm, digest, size }: Key): Buffer {
  const name = Buffer.of(algorithm === "blake3" ? 1 : 2);
  return recordKey("blocks", name, Buffer.from(digest, "hex"), safeInteger(size));
}
