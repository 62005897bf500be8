import { createHasher, type Hasher, keyOf } from "@graviton/cas/hasher";
import type { Resumable, Retries } from "@graviton/decorators/retries";
import type { BlockStore, StoredBytes } from "@graviton/ports/block-store";
import type { CallOptions } from "@graviton/ports/call-options";
import { formatKey, type Key, keysEqual } from "@graviton/ports/key";
import { checkedPages, type ManifestEntry, type ManifestPage } from "@graviton/ports/manifest";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import { hasReason } from "@graviton/ports/storage-error";

/** A block that is not what its key says. */
export interface BadBlock {
  readonly entry: ManifestEntry;
  readonly problem: string;
}

/** What reading a whole blob again showed. */
export interface BlobCheck {
  readonly blocks: number;
  readonly badBlocks: readonly BadBlock[];
  /** What is wrong with the blob as a whole, besides its bad blocks. */
  readonly problem: string | undefined;
}

/** What the check reads from. */
export interface CheckParts {
  readonly manifests: ManifestStore;
  readonly blocks: BlockStore;
  readonly call: CallOptions;
  /** Hears of bytes that have been read. */
  readonly read: (bytes: number) => void;
  /** How reads of blocks are tried again. */
  readonly retries: Retries;
}

/**
 * Reads a blob block by block, trusts nobody, and hashes every block and the whole on this side. Goes on after a bad
 * block, so that all of them are named.
 *
 * @throws StorageError NOT_FOUND for a blob that is not stored
 */
export async function checkBlob(key: Key, parts: CheckParts): Promise<BlobCheck> {
  const whole = createHasher(key.algorithm);
  const badBlocks: BadBlock[] = [];
  let blocks = 0;
  try {
    for await (const page of checkedPages(key, parts.manifests.get(key, parts.call))) {
      for await (const bad of badBlocksOf(page, whole, parts)) badBlocks.push(bad);
      blocks += page.length;
    }
  } catch (error) {
    // Not the question was malformed, but the answer.
    if (!hasReason(error, "INVALID_ARGUMENT") && !hasReason(error, "CORRUPT")) throw error;
    return { blocks, badBlocks, problem: error.message };
  }
  if (badBlocks.length > 0) return { blocks, badBlocks, problem: undefined };
  const digest = whole.digest();
  return { blocks, badBlocks, problem: digest === key.digest ? undefined : `all of it together hashes to ${digest}` };
}

/** A stream of many blocks ends at the first bad one; the one at fault is then asked for alone, and the rest as before. */
async function* badBlocksOf(page: ManifestPage, whole: Hasher, parts: CheckParts): AsyncGenerator<BadBlock> {
  let next = 0;
  while (next < page.length) {
    const rest: Resumable<StoredBytes> = {
      open: () => parts.blocks.getMany(keysOf(page.slice(next)), parts.call),
      given: () => {
        next += 1;
      },
    };
    try {
      for await (const { bytes } of parts.retries.stream(parts.call, rest)) {
        const entry = page[next - 1];
        if (entry !== undefined) yield* judged(entry, bytes, whole, parts);
      }
      if (next < page.length) yield* lost(page, next);
      return;
    } catch (error) {
      const entry = page[next++];
      if (!isBadBlock(error) || entry === undefined) throw error;
      yield* askedAlone(entry, whole, parts);
    }
  }
}

async function* askedAlone(entry: ManifestEntry, whole: Hasher, parts: CheckParts): AsyncGenerator<BadBlock> {
  const get = () => parts.blocks.get(entry.block, undefined, parts.call);
  try {
    yield* judged(entry, await parts.retries.run(parts.call, get), whole, parts);
  } catch (error) {
    if (!isBadBlock(error)) throw error;
    yield { entry, problem: hasReason(error, "NOT_FOUND") ? "it is not stored" : "its stored bytes are damaged" };
  }
}

function* judged(entry: ManifestEntry, bytes: Uint8Array, whole: Hasher, parts: CheckParts): Generator<BadBlock> {
  parts.read(bytes.length);
  whole.update(bytes);
  const actual = keyOf(entry.block.algorithm, bytes);
  if (!keysEqual(actual, entry.block)) yield { entry, problem: `its bytes are ${formatKey(actual)}` };
}

function* lost(page: ManifestPage, from: number): Generator<BadBlock> {
  for (const entry of page.slice(from)) yield { entry, problem: "the service did not send it" };
}

function isBadBlock(error: unknown): boolean {
  return hasReason(error, "CORRUPT") || hasReason(error, "NOT_FOUND");
}

function keysOf(page: ManifestPage): Key[] {
  return page.map(({ block }) => block);
}
