import { randomUUID } from "node:crypto";
import type { Locator } from "@graviton/ports/locator";
import { objectExists } from "@graviton/ports/object-errors";
import type { StorageError } from "@graviton/ports/storage-error";
import { isPreconditionFailed, isUploadGone, refusesCondition } from "./errors.ts";
import { conditionRefused, uploadGone } from "./object-errors.ts";
import { keyOf, metadataOf } from "./object-keys.ts";
import type { FoundObject } from "./object-reader.ts";

/** One object to come. */
export interface PutTarget {
  readonly locator: Locator;
  readonly key: string;
  /** With a mark of its own in each, by which the writer knows it again. */
  readonly metadata: Record<string, string>;
  readonly ifAbsent: boolean;
}

/** @param prefix the beginning of all keys */
export function putTarget(prefix: string, locator: Locator, ifAbsent: boolean): PutTarget {
  const metadata = { ...metadataOf(locator), put: randomUUID() };
  return { locator, key: keyOf(prefix, locator), metadata, ifAbsent };
}

/** The condition on which S3 is to write. */
export function conditionOf({ ifAbsent }: PutTarget): { IfNoneMatch?: string } {
  return ifAbsent ? { IfNoneMatch: "*" } : {};
}

/** Whether an object is the one that was to come. */
export function isPut({ metadata }: PutTarget, found: FoundObject | undefined): found is FoundObject {
  return found?.metadata.put === metadata.put;
}

/** What an error of the driver means to the put, where that is not what it means to everybody. */
export function refusalOf({ locator, ifAbsent }: PutTarget, error: unknown): StorageError | undefined {
  if (isPreconditionFailed(error)) return objectExists(locator, error);
  if (isUploadGone(error)) return uploadGone(locator, error);
  return ifAbsent && refusesCondition(error) ? conditionRefused(locator, error) : undefined;
}
