import type { ByteRange } from "./byte-range.ts";
import type { CallOptions } from "./call-options.ts";
import type { Key } from "./key.ts";
import type { ManifestEntry } from "./manifest.ts";
import type { BlockWritePlan } from "./plan.ts";

/**
 * Keeps blocks: 1 byte to 16 MiB each, immutable, named by their content.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}. Dispose waits for what is in flight.
 */
export interface BlockStore extends AsyncDisposable {
  /**
   * Stores each block of the input and reports it, in the order given, once it is durable; last comes one event with
   * the manifest of all. A block that fails ends the stream with its error; those reported before it stay. Nothing
   * of the block in flight is left. The input's buffers may be reused as soon as the next one is asked for.
   *
   * @throws StorageError INVALID_ARGUMENT for an empty block, and for a plan out of bounds
   * @throws StorageError TOO_LARGE for a block over `blockBytesMax`, and for more than `blocksPerPutMax` blocks
   * @throws StorageError HASH_MISMATCH for a block that is not what its key claims
   */
  putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options?: CallOptions,
  ): AsyncIterable<PutBlocksEvent>;

  /**
   * The verified bytes of a range of one block; the caller owns them.
   *
   * @throws StorageError NOT_FOUND, OUT_OF_RANGE, or CORRUPT when the stored bytes are not those of the key
   */
  get(key: Key, range?: ByteRange, options?: CallOptions): Promise<Uint8Array>;

  /**
   * Many whole blocks, in the order asked, repetitions included. Fetched ahead within a bounded window. The first
   * that is absent or corrupt ends the stream with its error. At most `keysPerCallMax` keys.
   */
  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes>;

  /** For each key, in the order asked, whether the block is there. At most `keysPerCallMax` keys. Reads no content. */
  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]>;

  /** Removes blocks. Idempotent: absent is a success. At most `keysPerCallMax` keys. */
  delete(keys: readonly Key[], options?: CallOptions): Promise<void>;
}

/** One item of the input of `putBlocks`. */
export interface BlockInput {
  readonly bytes: Uint8Array;
  /** What the writer says the block is; checked. Without it the store names the block by the plan's algorithm. */
  readonly key?: Key | undefined;
  /** True when the writer will never touch the bytes again, which saves the store a copy. */
  readonly owned?: boolean | undefined;
}

/** One item of the output of `getMany`. */
export interface StoredBytes {
  readonly key: Key;
  readonly bytes: Uint8Array;
}

export type PutBlocksEvent = BlockStored | BlocksPut;

/** One block is durable. */
export interface BlockStored {
  readonly kind: "stored";
  readonly key: Key;
  /** FRESH when the block was not stored before, DUPLICATE when it was, also when it was then rewritten. */
  readonly status: "FRESH" | "DUPLICATE";
}

/** All blocks are durable; the last event. Offsets are contiguous from 0 in the order given. */
export interface BlocksPut {
  readonly kind: "manifest";
  readonly entries: readonly ManifestEntry[];
}

/**
 * What a technology has to offer to become a {@link BlockStore}: whole blocks by key, nothing checked. `CasBlockStore`
 * adds naming, verification, limits, ranges, order and lifetime, once for all of them. Calls for different keys run in
 * parallel; calls for one key may too, and must all succeed.
 */
export interface BlockDriver extends AsyncDisposable {
  /** Calls that may run at once before more of them stop helping. */
  readonly concurrency: number;

  /** Whether each key is stored, in the order asked. */
  has(keys: readonly Key[], signal?: AbortSignal): Promise<boolean[]>;

  /** The stored bytes, in memory that belongs to the caller, or undefined when absent. */
  read(key: Key, signal?: AbortSignal): Promise<Uint8Array | undefined>;

  /**
   * Stores the bytes, durably and all or nothing, before it resolves; replaces a copy that is there. The bytes belong
   * to the caller again once it has resolved.
   */
  write(key: Key, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;

  /**
   * As {@link write}, but only where the block is not there, for a technology that does both in one step: tells whether
   * it was not there. Where an answer was lost and the driver tried again, it may have been its own.
   */
  add?(key: Key, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean>;

  /** Removes one block; absent is a success. */
  remove(key: Key, signal?: AbortSignal): Promise<void>;
}
