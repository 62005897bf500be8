import { checkKey, type Key } from "./key.ts";
import { keysPerCallMax } from "./limits.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Checks a list of keys that somebody asks about at once.
 *
 * @throws StorageError INVALID_ARGUMENT for a malformed key; TOO_LARGE over `keysPerCallMax`
 */
export function checkKeys(keys: readonly Key[]): readonly Key[] {
  checkKeyCount(keys.length);
  return keys.map(checkKey);
}

/** @throws StorageError TOO_LARGE over `keysPerCallMax` */
export function checkKeyCount(count: number): void {
  if (count > keysPerCallMax) {
    throw new StorageError("TOO_LARGE", `${count} keys in one call are over keysPerCallMax, ${keysPerCallMax}`);
  }
}
