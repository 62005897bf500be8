import type { ByteRange } from "@graviton/ports/byte-range";
import type { ListOptions } from "@graviton/ports/call-options";
import { formatKey, type Key } from "@graviton/ports/key";
import type { ManifestPage } from "@graviton/ports/manifest";
import { StorageError } from "@graviton/ports/storage-error";
import type { Resumable } from "./retries.ts";

/** A listing, which goes on after the last name that was given. */
export function listing<Options extends ListOptions, T>(
  options: Options,
  open: (options: Options) => AsyncIterable<T>,
  nameOf: (item: T) => string,
): Resumable<T> {
  let left = options;
  let complete = false;
  return {
    open: () => (complete ? nothing() : open(left)),
    given(item) {
      const limit = left.limit === undefined ? undefined : left.limit - 1;
      complete = limit === 0;
      left = { ...left, after: nameOf(item), limit };
    },
  };
}

/** The bytes of content that never changes: goes on at the next byte. */
export function bytesFrom(
  range: ByteRange,
  open: (range: ByteRange) => AsyncIterable<Uint8Array>,
): Resumable<Uint8Array> {
  let { offset, length } = range;
  let complete = false;
  return {
    open: () => (complete ? nothing() : open({ offset, length })),
    given({ length: count }) {
      offset += count;
      if (length !== undefined) length -= count;
      complete = length !== undefined && length <= 0;
    },
  };
}

/**
 * The entries of a manifest that hold a byte of the range: goes on at the next entry.
 *
 * @throws StorageError CONFLICT from the stream, when the manifest was replaced by one that is cut elsewhere
 */
export function entriesFrom(
  key: Key,
  range: ByteRange,
  open: (range: ByteRange) => AsyncIterable<ManifestPage>,
): Resumable<ManifestPage> {
  let left = range;
  let begun = false;
  let complete = false;
  return {
    open: () => (complete ? nothing() : begun ? beginningAt(key, left.offset, open(left)) : open(left)),
    given(page) {
      const last = page.at(-1);
      if (last === undefined) return;
      const offset = last.offset + last.block.size;
      const length = left.length === undefined ? undefined : left.offset + left.length - offset;
      begun = true;
      complete = length !== undefined && length <= 0;
      left = { offset, length };
    },
  };
}

async function* beginningAt(
  key: Key,
  offset: number,
  pages: AsyncIterable<ManifestPage>,
): AsyncGenerator<ManifestPage, void, void> {
  let checked = false;
  for await (const page of pages) {
    const [first] = page;
    if (!checked && first !== undefined && first.offset !== offset) {
      const resource = formatKey(key);
      throw new StorageError("CONFLICT", `the manifest of ${resource} was replaced while it was read`, { resource });
    }
    checked = true;
    yield page;
  }
}

async function* nothing(): AsyncGenerator<never, void, void> {}
