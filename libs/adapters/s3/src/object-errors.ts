import { formatLocator, type Locator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import { partsMax } from "./limits.ts";

/** The error for a version that is there no more while the rest of it is wanted. */
export function objectChanged(locator: Locator): StorageError {
  const resource = formatLocator(locator);
  const message = `object ${resource} was replaced or deleted, and what was read of it broke off: read again`;
  return new StorageError("CONFLICT", message, { resource });
}

/** The error for a stream of more bytes than the parts of one upload hold. */
export function objectTooLarge(locator: Locator, bytes: number): StorageError {
  const resource = formatLocator(locator);
  const message = `object ${resource} is larger than the ${bytes} bytes of partsMax, ${partsMax}, parts`;
  return new StorageError("TOO_LARGE", message, { resource });
}

/** The error for an S3 that does not know ranges, whose bytes would be taken for others. */
export function otherRange(locator: Locator): StorageError {
  const message = `S3 gives other bytes of ${formatLocator(locator)} than it was asked for: it must know ranges`;
  return new StorageError("UNAVAILABLE", message, { resource: "S3" });
}
