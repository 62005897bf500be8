import type { ByteRange } from "./byte-range.ts";
import type { CallOptions, ListOptions } from "./call-options.ts";
import type { Locator, LocatorPrefix } from "./locator.ts";

/**
 * Reads objects: bytes addressed by where they live, independent of what they are.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}; a locator of another technology's scheme is
 * INVALID_ARGUMENT. Dispose waits for what is in flight.
 */
export interface ImmutableObjectStore extends AsyncDisposable {
  /** @throws StorageError NOT_FOUND */
  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo>;

  /** The objects of a bucket whose paths begin with the prefix's, in the byte order of their paths. */
  list(prefix: LocatorPrefix, options?: ObjectListOptions): AsyncIterable<ObjectInfo>;

  /**
   * The bytes of a range, in order. A reader sees one version of the object to the end, also while it is replaced
   * or deleted.
   *
   * @throws StorageError NOT_FOUND before the first byte
   * @throws StorageError OUT_OF_RANGE for an offset beyond the end
   */
  get(locator: Locator, range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array>;
}

/** Writes objects as well. */
export interface MutableObjectStore extends ImmutableObjectStore {
  /**
   * Stores the stream under the locator, durably, before it answers, and replaces what was there atomically. A source
   * that fails leaves the old object as it was.
   *
   * @throws StorageError ALREADY_EXISTS with `ifAbsent`, when there is an object
   */
  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo>;

  /** Idempotent: absent is a success. */
  delete(locator: Locator, options?: CallOptions): Promise<void>;

  /**
   * Makes `to` what `from` is, atomically. Onto itself it changes nothing.
   *
   * @throws StorageError NOT_FOUND when there is no `from`
   */
  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo>;
}

/** `after` is a path in the listed bucket. */
export interface ObjectListOptions extends CallOptions, ListOptions {}

export interface ObjectPutOptions extends CallOptions {
  /** Refuse when there is an object already. */
  readonly ifAbsent?: boolean | undefined;
}

/** What a store knows of one object. */
export interface ObjectInfo {
  readonly locator: Locator;
  /** Bytes. */
  readonly size: number;
  /** When it was stored, in milliseconds since 1970. */
  readonly modifiedAt: number;
  /** Opaque; differs between two versions of one object. */
  readonly etag: string;
}
