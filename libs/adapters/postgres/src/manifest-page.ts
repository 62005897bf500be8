import { digestBytes, hashAlgorithms } from "@graviton/ports/key";
import type { ManifestEntry, ManifestPage } from "@graviton/ports/manifest";
import { StorageError } from "@graviton/ports/storage-error";

const version = 1;

// version, algorithm, index and offset of the first entry
const headBytes = 18;
// digest, size
const entryBytes = digestBytes + 4;

/** Packs entries into 36 bytes each: indices and offsets follow from the first one's. The page must not be empty. */
export function encodePage(page: ManifestPage): Buffer {
  const first = page[0] as ManifestEntry;
  const content = Buffer.allocUnsafe(headBytes + page.length * entryBytes);
  content.writeUInt8(version, 0);
  content.writeUInt8(hashAlgorithms.indexOf(first.block.algorithm), 1);
  content.writeBigUInt64BE(BigInt(first.index), 2);
  content.writeBigUInt64BE(BigInt(first.offset), 10);
  let at = headBytes;
  for (const { block } of page) {
    content.write(block.digest, at, "hex");
    content.writeUInt32BE(block.size, at + digestBytes);
    at += entryBytes;
  }
  return content;
}

/**
 * The entries of a packed page.
 *
 * @throws StorageError UNSUPPORTED for a page of another version, which is never guessed at
 */
export function decodePage(content: Buffer): ManifestEntry[] {
  const algorithm = hashAlgorithms[content.readUInt8(1)];
  if (content.readUInt8(0) !== version || algorithm === undefined) {
    throw new StorageError(
      "UNSUPPORTED",
      `a manifest page has version ${content[0]} and algorithm ${content[1]}; this version of the store reads version ${version}`,
    );
  }
  const index = Number(content.readBigUInt64BE(2));
  let offset = Number(content.readBigUInt64BE(10));
  const page: ManifestEntry[] = [];
  for (let at = headBytes; at < content.length; at += entryBytes) {
    const size = content.readUInt32BE(at + digestBytes);
    const block = { algorithm, digest: content.toString("hex", at, at + digestBytes), size };
    page.push({ index: index + page.length, offset, block });
    offset += size;
  }
  return page;
}
