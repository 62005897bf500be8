import { formatLocator, type Locator } from "./locator.ts";
import { StorageError } from "./storage-error.ts";

/** The error for a locator where there is nothing. */
export function objectNotFound(locator: Locator): StorageError {
  const resource = formatLocator(locator);
  return new StorageError("NOT_FOUND", `there is no object at ${resource}`, { resource });
}

/** The error for a create-only put that met an object. */
export function objectExists(locator: Locator, cause?: unknown): StorageError {
  const resource = formatLocator(locator);
  return new StorageError("ALREADY_EXISTS", `there is an object at ${resource} already`, { resource, cause });
}
