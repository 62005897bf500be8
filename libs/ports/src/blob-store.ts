import type { Attributes, ConfirmedAttributes } from "./attributes.ts";
import type { ByteRange } from "./byte-range.ts";
import type { CallOptions, ListOptions } from "./call-options.ts";
import type { Key } from "./key.ts";
import type { BlobWritePlan } from "./plan.ts";

/**
 * Keeps any stream of bytes under the name of what it is.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}. Dispose waits for what is in flight.
 */
export interface BlobStore extends AsyncDisposable {
  /**
   * Stores the stream, durably, before it answers. The same content again, in parallel or retried, gives the same key
   * and one copy. Until the answer nothing of it is visible; an interrupted put leaves no blob.
   *
   * @throws StorageError INVALID_ARGUMENT for a plan out of bounds, before it reads a byte
   * @throws StorageError HASH_MISMATCH when the bytes are not those of `plan.expected`
   */
  put(plan: BlobWritePlan, bytes: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<BlobReceipt>;

  /**
   * The bytes of a range, in order, in frames of any size of at least one byte. Every block is verified before its first byte leaves:
   * wrong bytes are CORRUPT, never data.
   *
   * @throws StorageError NOT_FOUND before the first byte, for a blob that is not stored
   * @throws StorageError CORRUPT naming the block, for a blob of which one is missing or damaged
   * @throws StorageError OUT_OF_RANGE for an offset beyond the end
   */
  get(key: Key, range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array>;

  /** @throws StorageError NOT_FOUND */
  stat(key: Key, options?: CallOptions): Promise<BlobInfo>;

  /** Forgets the blob. Blocks stay, since others may share them. Idempotent: absent is a success. */
  delete(key: Key, options?: CallOptions): Promise<void>;

  /** All blobs in the byte order of their keys' text. A blob stored or deleted meanwhile may or may not appear. */
  list(options?: BlobListOptions): AsyncIterable<BlobInfo>;

  /** Those of `keys` that are not stored as blobs, in the order asked. At most `keysPerCallMax` keys. */
  findMissing(keys: readonly Key[], options?: CallOptions): Promise<Key[]>;
}

/** `after` is a key in text form. */
export interface BlobListOptions extends CallOptions, ListOptions {}

/** What the store knows of one blob. */
export interface BlobInfo {
  readonly advertised: Attributes;
  readonly confirmed: ConfirmedAttributes;
}

/** The answer to a put. */
export interface BlobReceipt extends BlobInfo {
  /** False when the blob was there already. */
  readonly created: boolean;
  /** Blocks that were not stored before. A block that occurs twice in the blob is fresh once. */
  readonly freshBlocks: number;
  /** Blocks that were. */
  readonly duplicateBlocks: number;
  /** Bytes of the fresh blocks. */
  readonly freshBytes: number;
}
