import type { ByteSpan } from "@graviton/ports/byte-range";
import { formatKey } from "@graviton/ports/key";
import { blobNotFound, type ManifestPage } from "@graviton/ports/manifest";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import type { LevelDatabase } from "./database.ts";
import { manifestPagesPerRead } from "./limits.ts";
import { decodeHeader, headerKey, type StoredHeader } from "./manifest-header.ts";
import { decodePage } from "./manifest-page.ts";
import { pageKey } from "./manifest-upload.ts";
import { afterKey } from "./tables.ts";
import type { Entry, PageRange } from "./view.ts";

/**
 * The pages that hold a byte of the span, found without reading those before them. A manifest that is deleted meanwhile
 * ends in NOT_FOUND: its pages go, and those of a later one are elsewhere, so that no page can be a wrong one.
 */
export async function* readPages(
  database: LevelDatabase,
  header: StoredHeader,
  span: ByteSpan,
): AsyncGenerator<ManifestPage, void, void> {
  if (span.start === span.end) return;
  const { generation } = header;
  const end = pageKey(generation, span.end);
  let from = await firstPageKey(database, header, span.start);
  let reached: number | undefined;
  while ((reached ?? 0) < span.end) {
    const records = await page(database, header, { gte: from, lt: end, limit: manifestPagesPerRead });
    if (records.length === 0) throw await vanished(database, header);
    for (const { key, content } of records) {
      const entries = decodePage(content);
      const [first, last] = [entries[0], entries.at(-1)];
      if (first === undefined || last === undefined) throw await vanished(database, header);
      if (first.offset !== (reached ?? first.offset)) throw await vanished(database, header);
      yield entries;
      reached = last.offset + last.block.size;
      from = afterKey(key);
    }
  }
}

async function firstPageKey(database: LevelDatabase, header: StoredHeader, offset: number): Promise<Buffer> {
  const range: PageRange = {
    gte: pageKey(header.generation, 0),
    lt: afterKey(pageKey(header.generation, offset)),
    limit: 1,
    reverse: true,
  };
  const [first] = await page(database, header, range);
  if (first === undefined) throw await vanished(database, header);
  return first.key;
}

async function page(database: LevelDatabase, { info }: StoredHeader, range: PageRange): Promise<Entry[]> {
  try {
    return await database.page(range);
  } catch (error) {
    if (!hasReason(error, "CORRUPT")) throw error;
    const resource = formatKey(info.confirmed.key);
    throw new StorageError("CORRUPT", `the manifest of ${resource} is damaged`, { resource, cause: error });
  }
}

/** The error for pages that are not there any more. */
async function vanished(database: LevelDatabase, { info, generation }: StoredHeader): Promise<StorageError> {
  const { key } = info.confirmed;
  const content = await database.get(headerKey(key));
  if (content === undefined || !decodeHeader(key, content).generation.equals(generation)) return blobNotFound(key);
  const resource = formatKey(key);
  return new StorageError("CORRUPT", `the manifest of ${resource} has lost pages`, { resource });
}
