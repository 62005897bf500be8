import type { ByteSpan } from "./byte-range.ts";
import type { CallOptions } from "./call-options.ts";
import type { Locator } from "./locator.ts";

/**
 * Knows which bytes are persisted where: locator → set of byte spans. It is what resumes an upload and guides a repair.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}. Dispose waits for what is in flight.
 */
export interface RangeTracker extends AsyncDisposable {
  /** The spans persisted at the locator: sorted, disjoint, not adjacent; none for a locator nobody merged into. */
  current(locator: Locator, options?: CallOptions): Promise<ByteSpan[]>;

  /**
   * Adds a span, durably, and gives the set that results. Overlapping and adjacent spans become one. Concurrent merges
   * into one locator lose none.
   *
   * @throws StorageError INVALID_ARGUMENT unless `0 <= start < end`
   * @throws StorageError TOO_LARGE when the set would have more than `spansPerLocatorMax` spans
   */
  merge(locator: Locator, span: ByteSpan, options?: CallOptions): Promise<ByteSpan[]>;
}
