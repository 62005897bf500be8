import { createHash } from "node:crypto";
import type { Locator } from "@graviton/ports/locator";
import { objectKeyBytesMax } from "./limits.ts";

/*
 * `s3://bucket/a/b` is the S3 object `<prefix>objects/bucket/a/b!`: its path, with every `!` written twice, and one more
 * at the end. No character of a path sorts before `!`, so that the byte order of the keys is that of the paths. And no
 * key is a folder of another, which an S3 that stands on a file system would refuse: `a!` stands beside the folder `a`.
 *
 * A key longer than `objectKeyBytesMax` is cut there and ends in `~/` and the SHA-256 of the path, which then is in the
 * metadata of the object: S3 takes keys of 1,024 bytes at most, the prefix and the bucket's name included.
 */

/** The beginning of the keys of all objects. */
export function objectsIn(prefix: string): string {
  return `${prefix}objects/`;
}

/** The beginning of the keys of all objects of a locator's bucket. */
export function objectsOf(prefix: string, bucket: string): string {
  return `${objectsIn(prefix)}${bucket}/`;
}

/** The key of an object. */
export function keyOf(prefix: string, { bucket, path }: Locator): string {
  const key = `${escaped(path)}!`;
  const folder = objectsOf(prefix, bucket);
  if (Buffer.byteLength(key) <= objectKeyBytesMax) return folder + key;
  return `${folder}${cut(key, objectKeyBytesMax)}~/${createHash("sha256").update(path).digest("hex")}`;
}

/** What an object's metadata must say beside its key. */
export function metadataOf({ path }: Locator): Record<string, string> {
  if (Buffer.byteLength(`${escaped(path)}!`) <= objectKeyBytesMax) return {};
  return { path: Buffer.from(path).toString("base64url") };
}

/** What of the path stands in the object's metadata; undefined when nothing does. */
export function pathIn(metadata: Readonly<Record<string, string>> | undefined): string | undefined {
  return metadata?.path === undefined ? undefined : Buffer.from(metadata.path, "base64url").toString();
}

/** True for a key below its bucket whose path only the object's metadata has. */
export function isCut(key: string): boolean {
  return Buffer.byteLength(key) > objectKeyBytesMax;
}

/** The path of a key below its bucket that is not cut; undefined when it is none of ours. */
export function pathOf(key: string): string | undefined {
  const [marks = ""] = /!*$/.exec(key) ?? [];
  if (marks.length % 2 === 0) return undefined;
  return key.slice(0, -1).replaceAll("!!", "!");
}

/**
 * Keys of which this is the same, and is not undefined, may be in another order than their paths. They follow each
 * other in a listing.
 */
export function disorderOf(key: string): string | undefined {
  const bytes = Buffer.from(key);
  // A cut never goes through a character, and so may be up to three bytes early.
  const sure = objectKeyBytesMax - 3;
  return bytes.length < sure ? undefined : bytes.toString("latin1", 0, sure);
}

/** The beginning that the keys of all paths with this beginning share. */
export function keyPrefixOf(path: string): string {
  return cut(escaped(path), objectKeyBytesMax - 3);
}

/** A key as it is, of one as it stands in a listing: not every S3 writes them as it was asked to. */
export function writtenKey(text: string, encoding: string | undefined): string {
  return encoding === "url" ? decodeURIComponent(text) : text;
}

/** A key below a bucket that no key of a later path stands before. */
export function keyBefore(after: string): string {
  const key = `${escaped(after)}!`;
  return Buffer.byteLength(key) < objectKeyBytesMax - 3 ? key : cut(key, objectKeyBytesMax - 4);
}

function escaped(path: string): string {
  return path.toWellFormed().replaceAll("!", "!!");
}

/** The longest beginning of whole characters that is no longer than so many bytes. */
function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  let end = Math.min(bytes.length, bytesMax);
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
