import type { CallOptions } from "./call-options.ts";
import {
  keyValueBatchBytesMax,
  keyValueBatchOperationsMax,
  keyValueKeyBytesMax,
  keyValueValueBytesMax,
} from "./limits.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Keeps small values under names: any well-formed string of at most `keyValueKeyBytesMax` bytes of UTF-8, the empty one
 * included, to any bytes up to `keyValueValueBytesMax`. Names are ordered by their bytes in UTF-8.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}. Dispose waits for what is in flight.
 */
export interface KeyValueStore extends AsyncDisposable {
  /** The value, or undefined when absent. An empty value is not absent. The caller owns the bytes. */
  get(key: string, options?: CallOptions): Promise<Uint8Array | undefined>;

  /** Stores the value durably; replaces what was there. */
  put(key: string, value: Uint8Array, options?: CallOptions): Promise<void>;

  /** Idempotent: absent is a success. */
  delete(key: string, options?: CallOptions): Promise<void>;

  /**
   * Applies all operations or none, durably, in the order given: the last one on a key counts. At most
   * `keyValueBatchOperationsMax` operations and `keyValueBatchBytesMax` bytes.
   */
  batch(operations: readonly KeyValueOperation[], options?: CallOptions): Promise<void>;

  /**
   * Replaces the value with `next` if it still is `expected`; undefined stands for absent on both sides.
   *
   * @throws StorageError CONFLICT when it is not: read again, then try again
   */
  compareAndSwap(
    key: string,
    expected: Uint8Array | undefined,
    next: Uint8Array | undefined,
    options?: CallOptions,
  ): Promise<void>;

  /** The pairs within the bounds, in byte order, as they all were at the moment the scan began. */
  scan(range: KeyValueRange, options?: CallOptions): AsyncIterable<KeyValuePair>;
}

/** Which pairs a scan gives; all when empty. */
export interface KeyValueRange {
  /** Only names that begin with it. */
  readonly prefix?: string | undefined;
  /** Only names after it: the cursor, the last name of the page before. */
  readonly after?: string | undefined;
  /** Only names from it on. */
  readonly from?: string | undefined;
  /** Only names before it. */
  readonly before?: string | undefined;
  /** How many at most, 1 or more; all when absent. */
  readonly limit?: number | undefined;
}

export interface KeyValuePair {
  readonly key: string;
  readonly value: Uint8Array;
}

export type KeyValueOperation =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: string };

/** @throws StorageError INVALID_ARGUMENT for a string that is not well-formed Unicode; TOO_LARGE over `keyValueKeyBytesMax` */
export function checkKeyValueKey(key: string): string {
  if (typeof key !== "string" || !key.isWellFormed()) {
    throw new StorageError("INVALID_ARGUMENT", `key ${JSON.stringify(key)} is not well-formed Unicode`);
  }
  const bytes = Buffer.byteLength(key);
  if (bytes > keyValueKeyBytesMax) {
    throw new StorageError("TOO_LARGE", `a key of ${bytes} bytes is over keyValueKeyBytesMax, ${keyValueKeyBytesMax}`);
  }
  return key;
}

/** @throws StorageError TOO_LARGE over `keyValueValueBytesMax` */
export function checkKeyValueValue(key: string, value: Uint8Array): Uint8Array {
  if (value.length > keyValueValueBytesMax) {
    throw new StorageError(
      "TOO_LARGE",
      `a value of ${value.length} bytes is over keyValueValueBytesMax, ${keyValueValueBytesMax}: store it as a blob`,
      { resource: key },
    );
  }
  return value;
}

/** @throws StorageError TOO_LARGE over `keyValueBatchOperationsMax` or `keyValueBatchBytesMax`, and what the checks of its parts throw */
export function checkKeyValueBatch(operations: readonly KeyValueOperation[]): readonly KeyValueOperation[] {
  if (operations.length > keyValueBatchOperationsMax) {
    throw new StorageError(
      "TOO_LARGE",
      `a batch of ${operations.length} operations is over keyValueBatchOperationsMax, ${keyValueBatchOperationsMax}`,
    );
  }
  let bytes = 0;
  for (const operation of operations) {
    bytes += Buffer.byteLength(checkKeyValueKey(operation.key));
    if (operation.kind === "put") bytes += checkKeyValueValue(operation.key, operation.value).length;
  }
  if (bytes > keyValueBatchBytesMax) {
    throw new StorageError(
      "TOO_LARGE",
      `a batch of ${bytes} bytes is over keyValueBatchBytesMax, ${keyValueBatchBytesMax}`,
    );
  }
  return operations;
}

/** @throws StorageError INVALID_ARGUMENT for a malformed bound or a limit that is not a whole number of 1 or more */
export function checkKeyValueRange(range: KeyValueRange): KeyValueRange {
  for (const bound of [range.prefix, range.after, range.from, range.before]) {
    if (bound !== undefined) checkKeyValueKey(bound);
  }
  if (range.limit !== undefined && (!Number.isSafeInteger(range.limit) || range.limit < 1)) {
    throw new StorageError("INVALID_ARGUMENT", `limit ${range.limit} must be a whole number, 1 or more`);
  }
  return range;
}

/** The error for a compare-and-swap that lost. */
export function compareAndSwapLost(key: string): StorageError {
  return new StorageError("CONFLICT", `key ${JSON.stringify(key)} has changed: read it again, then try again`, {
    resource: key,
  });
}
