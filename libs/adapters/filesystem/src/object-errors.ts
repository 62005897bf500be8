import { formatLocator, type Locator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import { handlesRetryAfterMs, openObjectsMax } from "./limits.ts";

/** The error for a file that somebody made shorter while it was read. */
export function objectCutShort(locator: Locator, end: number, size: number): StorageError {
  const resource = formatLocator(locator);
  return new StorageError("CORRUPT", `object ${resource} ends after ${end} of its ${size} bytes`, { resource });
}

/** The error for one reader too many. */
export function tooManyReaders(locator: Locator): StorageError {
  return new StorageError("EXHAUSTED", `${openObjectsMax} objects are being read, openObjectsMax: try again`, {
    resource: formatLocator(locator),
    retryAfterMs: handlesRetryAfterMs,
  });
}
