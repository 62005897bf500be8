import type { Attributes, ConfirmedAttributes } from "./attributes.ts";
import type { ByteSpan } from "./byte-range.ts";
import { checkKey, formatKey, type Key } from "./key.ts";
import { blockBytesMax, manifestPageEntries } from "./limits.ts";
import { StorageError } from "./storage-error.ts";

/** One block's place in a blob. Its size is `block.size`. */
export interface ManifestEntry {
  /** Position among the entries, from 0. */
  readonly index: number;
  /** Where the block's first byte stands in the blob. */
  readonly offset: number;
  readonly block: Key;
}

/** Consecutive entries, at most `manifestPageEntries`. Manifests are paged in memory, on the wire and in storage. */
export type ManifestPage = readonly ManifestEntry[];

/** What a manifest is committed under. */
export interface ManifestHeader {
  /** The key of the whole blob. */
  readonly key: Key;
  /** Advertised by the writer, kept as they are. */
  readonly attributes: Attributes;
}

/** What a store knows of one manifest without its entries. */
export interface ManifestInfo {
  readonly advertised: Attributes;
  readonly confirmed: ConfirmedAttributes;
}

/**
 * Hands the pages on and checks them on the way: indices from 0 without gaps, offsets contiguous from 0, blocks of
 * 1 byte to 16 MiB named by the blob's algorithm, and sizes that add up to the blob's. Nothing has been committed
 * when it throws.
 *
 * @throws StorageError INVALID_ARGUMENT naming the entry at fault
 */
export async function* checkedPages(
  key: Key,
  pages: AsyncIterable<ManifestPage>,
): AsyncGenerator<ManifestPage, void, void> {
  let index = 0;
  let offset = 0;
  for await (const page of pages) {
    if (page.length > manifestPageEntries) {
      throw invalid(key, `a page of ${page.length} entries is over manifestPageEntries, ${manifestPageEntries}`);
    }
    for (const entry of page) {
      checkEntry(key, entry, index, offset);
      index += 1;
      offset += entry.block.size;
    }
    if (page.length > 0) yield page;
  }
  if (offset !== key.size) throw invalid(key, `its blocks add up to ${offset} bytes, not to ${key.size}`);
}

function checkEntry(key: Key, entry: ManifestEntry, index: number, offset: number): void {
  const block = checkKey(entry.block);
  if (entry.index !== index) throw invalid(key, `entry ${index} says that it is entry ${entry.index}`);
  if (entry.offset > offset) throw invalid(key, `a gap before entry ${index}: ${offset} to ${entry.offset}`);
  if (entry.offset < offset)
    throw invalid(key, `entry ${index} at ${entry.offset} overlaps the one that ends at ${offset}`);
  if (entry.offset !== offset) throw invalid(key, `entry ${index} has the malformed offset ${entry.offset}`);
  if (block.algorithm !== key.algorithm) throw invalid(key, `block ${index} is named by ${block.algorithm}`);
  if (block.size < 1 || block.size > blockBytesMax) {
    throw invalid(key, `block ${index} has ${block.size} bytes; a block has 1 to ${blockBytesMax}`);
  }
}

/** The same entries in pages of `manifestPageEntries`, the last one shorter. */
export async function* repaged(entries: AsyncIterable<ManifestPage>): AsyncGenerator<ManifestPage, void, void> {
  let page: ManifestEntry[] = [];
  for await (const some of entries) {
    for (const entry of some) {
      page.push(entry);
      if (page.length < manifestPageEntries) continue;
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

/** The entries of `page` that hold a byte of `span`: none for the empty span. */
export function entriesWithin(page: ManifestPage, span: ByteSpan): ManifestPage {
  if (span.start === span.end) return [];
  return page.filter((entry) => entry.offset < span.end && entry.offset + entry.block.size > span.start);
}

/** The error for a blob that no manifest names. */
export function blobNotFound(key: Key): StorageError {
  return new StorageError("NOT_FOUND", `blob ${formatKey(key)} is not stored`, { resource: formatKey(key) });
}

/** The error for a manifest whose blocks are not all stored. Lists at most 1,000 of them. */
export function missingBlocks(key: Key, missing: readonly Key[]): StorageError {
  const texts = missing.map(formatKey);
  return new StorageError(
    "MISSING_BLOCKS",
    `${texts.length} blocks of ${formatKey(key)} are not stored, first ${texts[0]}`,
    {
      resource: formatKey(key),
      missing: texts.slice(0, 1000),
    },
  );
}

function invalid(key: Key, what: string): StorageError {
  return new StorageError("INVALID_ARGUMENT", `manifest of ${formatKey(key)}: ${what}`, { resource: formatKey(key) });
}
