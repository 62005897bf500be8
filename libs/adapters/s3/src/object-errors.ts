import { formatLocator, type Locator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import { downRetryAfterMs, partsMax } from "./limits.ts";

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

/** The error for a put of which nobody knows whether S3 will have done it. */
export function outcomeUnknown(locator: Locator, cause?: unknown): StorageError {
  const resource = formatLocator(locator);
  const message = `S3 does not say whether it has stored object ${resource}: look, and put it again unless it is there`;
  return new StorageError("UNAVAILABLE", message, { resource, retryAfterMs: downRetryAfterMs, cause });
}

/** The error for an upload that was removed before it was whole. */
export function uploadGone(locator: Locator, cause?: unknown): StorageError {
  const resource = formatLocator(locator);
  const message = `the parts of object ${resource} were removed from S3 before it was whole: put it again`;
  return new StorageError("CONFLICT", message, { resource, cause });
}

/** The error for an S3 that cannot be told to write only where there is nothing. */
export function conditionRefused(locator: Locator, cause: unknown): StorageError {
  const resource = formatLocator(locator);
  const message = `S3 knows no condition on which object ${resource} would only be created: put it without one`;
  return new StorageError("UNSUPPORTED", message, { resource, cause });
}

/** The error for an S3 of which a listing that goes on would miss objects. */
export function listedInDisorder(): StorageError {
  const message = "S3 lists objects in no order of their keys, so that a listing would miss some: use one that does";
  return new StorageError("UNSUPPORTED", message, { resource: "S3" });
}
