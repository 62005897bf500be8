import type { ByteRange } from "./byte-range.ts";
import type { CallOptions, ListOptions } from "./call-options.ts";
import type { Key } from "./key.ts";
import type { ManifestHeader, ManifestInfo, ManifestPage } from "./manifest.ts";

/**
 * Keeps the manifests of blobs, and knows which blocks are stored: those that somebody recorded after the block store
 * acknowledged them. It never asks the block store itself.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}. Dispose waits for what is in flight.
 */
export interface ManifestStore extends AsyncDisposable {
  /**
   * Commits a manifest, durably and atomically: no reader ever sees a part of it. The same key again is a success that
   * changes nothing, the first writer's attributes included. A source that fails leaves nothing.
   *
   * @throws StorageError INVALID_ARGUMENT for gaps, overlaps, wrong totals, foreign algorithms
   * @throws StorageError MISSING_BLOCKS listing the blocks that nobody recorded
   */
  put(header: ManifestHeader, pages: AsyncIterable<ManifestPage>, options?: CallOptions): Promise<ManifestReceipt>;

  /**
   * All entries in order, in pages of at most `manifestPageEntries`. The empty blob has none.
   *
   * @throws StorageError NOT_FOUND
   */
  get(key: Key, options?: CallOptions): AsyncIterable<ManifestPage>;

  /** @throws StorageError NOT_FOUND */
  stat(key: Key, options?: CallOptions): Promise<ManifestInfo>;

  /**
   * Just the entries that hold a byte of the range, in order, found without reading those before it.
   *
   * @throws StorageError NOT_FOUND, OUT_OF_RANGE
   */
  blockRefs(key: Key, range: ByteRange, options?: CallOptions): AsyncIterable<ManifestPage>;

  /** Removes a manifest; its blocks stay known. Idempotent: absent is a success. */
  delete(key: Key, options?: CallOptions): Promise<void>;

  /** All manifests in the byte order of their keys' text. One put or deleted meanwhile may or may not appear; no other is lost or doubled. */
  list(options?: ManifestListOptions): AsyncIterable<ManifestInfo>;

  /** Those of `keys` that nobody recorded, in the order asked. At most `keysPerCallMax` keys. */
  findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]>;

  /**
   * Records, durably, that the block store has acknowledged these blocks. Idempotent. Blocks of an upload that broke
   * off stay recorded, so that the next try need not send them. At most `keysPerCallMax` keys.
   */
  recordBlocks(keys: readonly Key[], options?: CallOptions): Promise<void>;
}

/** `after` is a key in text form. */
export interface ManifestListOptions extends CallOptions, ListOptions {}

/** The answer to a put. */
export interface ManifestReceipt {
  /** False when the manifest was there already. */
  readonly created: boolean;
  readonly info: ManifestInfo;
}
