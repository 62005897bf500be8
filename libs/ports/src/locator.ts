import { locatorPathBytesMax, locatorSegmentBytesMax } from "./limits.ts";
import { StorageError } from "./storage-error.ts";

/** The technologies that a locator may point into: S3, a file system, Postgres, memory. */
export const locatorSchemes = ["s3", "fs", "pg", "mem"] as const;

export type LocatorScheme = (typeof locatorSchemes)[number];

/** Where bytes live, apart from what they are. Text form `scheme://bucket/path`. */
export interface Locator {
  readonly scheme: LocatorScheme;
  /** 1 to 63 of lower-case letters, digits, hyphens and dots, a letter or digit at both ends, no two dots together. */
  readonly bucket: string;
  /** Segments separated by `/`, none of them empty, `.` or `..`, without white space, control characters or `\`. */
  readonly path: string;
}

/** What a listing of objects is restricted to: a bucket, and the beginning of the paths in it, perhaps empty. */
export type LocatorPrefix = Locator;

const bucketPattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;
const forbiddenInPath = /[\s\p{Cc}\\]/u;

/**
 * Reads the text form. Total: any string gives a locator or INVALID_ARGUMENT.
 *
 * @throws StorageError INVALID_ARGUMENT
 */
export function parseLocator(text: string): Locator {
  const locator = split(text);
  checkPath(locator.path, text);
  return locator;
}

/**
 * Reads `scheme://bucket/` with any beginning of a path behind it.
 *
 * @throws StorageError INVALID_ARGUMENT
 */
export function parseLocatorPrefix(text: string): LocatorPrefix {
  const prefix = split(text);
  const segments = prefix.path.split("/");
  const whole = segments.slice(0, -1).join("/");
  if (segments.length > 1) checkPath(whole, text);
  checkCharacters(prefix.path, text);
  return prefix;
}

/** Writes the text form. `parseLocator(formatLocator(l))` equals `l`. */
export function formatLocator(locator: Locator): string {
  return `${locator.scheme}://${locator.bucket}/${locator.path}`;
}

/**
 * Checks a locator that came from outside the type system, and that it points into the technology at hand.
 *
 * @throws StorageError INVALID_ARGUMENT for a malformed locator and for a foreign scheme
 */
export function checkLocator(locator: Locator, scheme?: LocatorScheme): Locator {
  const checked = parseLocator(formatLocator(locator));
  checkBucket(locator, checked);
  checkScheme(checked, scheme);
  return checked;
}

/** As {@link checkLocator}, for a prefix. */
export function checkLocatorPrefix(prefix: LocatorPrefix, scheme?: LocatorScheme): LocatorPrefix {
  const checked = parseLocatorPrefix(formatLocator(prefix));
  checkBucket(prefix, checked);
  checkScheme(checked, scheme);
  return checked;
}

/** In the text form a bucket with a slash in it would pass as a shorter bucket and a longer path. */
function checkBucket(given: Locator, parsed: Locator): void {
  if (given.bucket === parsed.bucket) return;
  const text = formatLocator(given);
  throw invalid(`locator ${quote(text)} has a malformed bucket: no slash belongs in it`, text);
}

function checkScheme(locator: Locator, scheme: LocatorScheme | undefined): void {
  if (scheme === undefined || locator.scheme === scheme) return;
  const text = formatLocator(locator);
  throw invalid(
    `locator ${JSON.stringify(text)} has the scheme ${locator.scheme}: this store holds ${scheme}://`,
    text,
  );
}

function split(text: string): Locator {
  const match = /^([a-z0-9]+):\/\/([^/]*)\/(.*)$/s.exec(text);
  const [, scheme, bucket, path] = match ?? [];
  if (scheme === undefined || bucket === undefined || path === undefined) {
    throw invalid(`malformed locator ${quote(text)}: expected scheme://bucket/path`, text);
  }
  if (!(locatorSchemes as readonly string[]).includes(scheme)) {
    throw invalid(`locator ${quote(text)} has an unknown scheme: use one of ${locatorSchemes.join(", ")}`, text);
  }
  if (!bucketPattern.test(bucket) || bucket.includes("..")) {
    throw invalid(
      `locator ${quote(text)} has a malformed bucket: 1 to 63 lower-case letters, digits, hyphens and single dots`,
      text,
    );
  }
  return { scheme: scheme as LocatorScheme, bucket, path };
}

function checkPath(path: string, text: string): void {
  for (const segment of path.split("/")) {
    if (segment === "" || segment === "." || segment === "..") {
      throw invalid(`locator ${quote(text)} has an empty, "." or ".." segment in its path`, text);
    }
  }
  checkCharacters(path, text);
}

function checkCharacters(path: string, text: string): void {
  if (!path.isWellFormed() || forbiddenInPath.test(path)) {
    throw invalid(`locator ${quote(text)} has white space, control characters or a backslash in its path`, text);
  }
  if (Buffer.byteLength(path) > locatorPathBytesMax) {
    throw invalid(`locator ${quote(text)} has a path over locatorPathBytesMax, ${locatorPathBytesMax} bytes`, text);
  }
  if (path.split("/").some((segment) => Buffer.byteLength(segment) > locatorSegmentBytesMax)) {
    throw invalid(
      `locator ${quote(text)} has a segment over locatorSegmentBytesMax, ${locatorSegmentBytesMax} bytes`,
      text,
    );
  }
}

function quote(text: string): string {
  return JSON.stringify(String(text).slice(0, 100));
}

function invalid(message: string, text: string): StorageError {
  return new StorageError("INVALID_ARGUMENT", message, { resource: String(text).slice(0, 200) });
}
