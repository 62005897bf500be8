import { compareBytes } from "./byte-order.ts";
import type { CallOptions } from "./call-options.ts";
import type { Key } from "./key.ts";
import { replicasPerKeyMax } from "./limits.ts";
import { checkLocator, formatLocator, type Locator, parseLocator } from "./locator.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Knows where content lives: content key → set of locators that hold it.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("./storage-error.ts").StorageError}. Dispose waits for what is in flight.
 */
export interface ReplicaIndex extends AsyncDisposable {
  /** The locators that hold the content, in the byte order of their text; none for content that nobody put. */
  replicas(key: Key, options?: CallOptions): Promise<Locator[]>;

  /**
   * Replaces the set, durably. The empty set forgets the key. At most `replicasPerKeyMax` locators, repetitions
   * counted once.
   */
  update(key: Key, locators: readonly Locator[], options?: CallOptions): Promise<void>;
}

/**
 * The set that `locators` are: checked, without repetitions, in byte order.
 *
 * @throws StorageError INVALID_ARGUMENT for a malformed locator
 * @throws StorageError TOO_LARGE over `replicasPerKeyMax`
 */
export function locatorSet(locators: readonly Locator[]): Locator[] {
  const texts = [...new Set(locators.map((locator) => formatLocator(checkLocator(locator))))];
  if (texts.length > replicasPerKeyMax) {
    throw new StorageError("TOO_LARGE", `${texts.length} locators are over replicasPerKeyMax, ${replicasPerKeyMax}`);
  }
  return texts.sort(compareBytes).map(parseLocator);
}
