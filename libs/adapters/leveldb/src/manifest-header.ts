import type { Attributes } from "@graviton/ports/attributes";
import { formatKey, type Key } from "@graviton/ports/key";
import type { ManifestInfo } from "@graviton/ports/manifest";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { recordKey } from "./tables.ts";
import type { ReadRecord } from "./update.ts";

const version = 1;

/** Bytes of the random name under which a manifest's pages are. */
export const generationBytes = 16;

/** What a manifest store keeps of a manifest besides its pages. It is what makes them a manifest. */
export interface StoredHeader {
  readonly info: ManifestInfo;
  /** Where the pages are. Two manifests never share it, the same blob's at different times included. */
  readonly generation: Buffer;
}

/** Where the header of a blob's manifest is. */
export function headerKey(key: Key): Buffer {
  return recordKey("manifests", formatKey(key));
}

/** A version, the generation, and the rest as JSON. */
export function encodeHeader({ info, generation }: StoredHeader): Buffer {
  const { blockCount, createdAt } = info.confirmed;
  const json = JSON.stringify({ blockCount, createdAt, attributes: info.advertised });
  return Buffer.concat([Buffer.of(version), generation, Buffer.from(json)]);
}

/**
 * The header of this key's manifest.
 *
 * @throws StorageError UNSUPPORTED for a header of another version, which is never guessed at
 */
export function decodeHeader(key: Key, content: Buffer): StoredHeader {
  if (content[0] !== version) {
    const resource = formatKey(key);
    const message = `the manifest of ${resource} has version ${content[0]}; this version of the store reads ${version}`;
    throw new StorageError("UNSUPPORTED", message, { resource });
  }
  const { blockCount, createdAt, attributes } = JSON.parse(content.toString("utf8", 1 + generationBytes)) as {
    blockCount: number;
    createdAt: number;
    attributes: Attributes;
  };
  return {
    info: { advertised: attributes, confirmed: { key, blockCount, createdAt } },
    generation: content.subarray(1, 1 + generationBytes),
  };
}

/** The header as an update reads it. A damaged one is no header: the next put replaces it. */
export function readHeader(key: Key, read: ReadRecord): StoredHeader | "absent" | "damaged" {
  try {
    const content = read(headerKey(key));
    return content === undefined ? "absent" : decodeHeader(key, content);
  } catch (error) {
    if (hasReason(error, "CORRUPT")) return "damaged";
    throw error;
  }
}
