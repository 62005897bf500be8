import type { HashAlgorithm } from "@graviton/ports/key";
import { digestBytes } from "@graviton/ports/key";
import type { ManifestEntry, ManifestPage } from "@graviton/ports/manifest";
import { StorageError } from "@graviton/ports/storage-error";
import { readSafeInteger, safeIntegerBytes, writeSafeInteger } from "./safe-integer.ts";

const version = 1;
const algorithms: readonly HashAlgorithm[] = ["blake3", "sha256"];

// version, algorithm, index and offset of the first entry
const headBytes = 2 + 2 * safeIntegerBytes;
// digest, size
const entryBytes = digestBytes + 4;

/** Packs entries into 36 bytes each: indices and offsets follow from the first one's. The page must not be empty. */
export function encodePage(page: ManifestPage): Buffer {
  const [first] = page as [ManifestEntry, ...ManifestEntry[]];
  const content = Buffer.allocUnsafe(headBytes + page.length * entryBytes);
  content[0] = version;
  content[1] = algorithms.indexOf(first.block.algorithm);
  writeSafeInteger(content, first.index, 2);
  writeSafeInteger(content, first.offset, 2 + safeIntegerBytes);
  for (const [at, { block }] of page.entries()) {
    content.write(block.digest, headBytes + at * entryBytes, "hex");
    content.writeUInt32BE(block.size, headBytes + at * entryBytes + digestBytes);
  }
  return content;
}

/**
 * The entries of a packed page.
 *
 * @throws StorageError UNSUPPORTED for a page of another version, which is never guessed at
 */
export function decodePage(content: Buffer): ManifestPage {
  const algorithm = algorithms[content[1] ?? -1];
  if (content[0] !== version || algorithm === undefined) {
    throw new StorageError(
      "UNSUPPORTED",
      `a manifest page has version ${content[0]} and algorithm ${content[1]}; this version of the store reads version ${version}`,
    );
  }
  const index = readSafeInteger(content, 2);
  let offset = readSafeInteger(content, 2 + safeIntegerBytes);
  const page: ManifestEntry[] = [];
  for (let at = headBytes; at < content.length; at += entryBytes) {
    const size = content.readUInt32BE(at + digestBytes);
    const block = { algorithm, digest: content.toString("hex", at, at + digestBytes), size };
    page.push({ index: index + page.length, offset, block });
    offset += size;
  }
  return page;
}
