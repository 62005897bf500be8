import type { BlobInfo } from "@graviton/ports/blob-store";
import { formatKey, type Key } from "@graviton/ports/key";

/** The headers that stand for a blob whatever part of it is sent. Content never changes under a key, hence immutable. */
export function blobHeaders({ confirmed, advertised }: BlobInfo): Record<string, string> {
  return {
    etag: etagOf(confirmed.key),
    "repr-digest": representationDigest(confirmed.key),
    "cache-control": "public, max-age=31536000, immutable",
    "accept-ranges": "bytes",
    "content-type": headerText(advertised.contentType) ?? "application/octet-stream",
    "last-modified": new Date(confirmed.createdAt).toUTCString(),
    // Anyone may store anything: it is data, and never a page that acts for this origin.
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox",
    ...(advertised.name === undefined ? {} : { "content-disposition": contentDisposition(advertised.name) }),
  };
}

/** A strong validator, RFC 9110 §8.8.3. */
export function etagOf(key: Key): string {
  return `"${formatKey(key)}"`;
}

/** True when an `If-None-Match` header names the blob, RFC 9110 §13.1.2. */
export function matches(header: string | undefined, key: Key): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etagOf(key));
}

/** RFC 9530. BLAKE3 is not in its registry; who does not know a digest ignores it. */
function representationDigest(key: Key): string {
  const name = key.algorithm === "sha256" ? "sha-256" : key.algorithm;
  return `${name}=:${Buffer.from(key.digest, "hex").toString("base64")}:`;
}

/** RFC 6266, with the extended form of RFC 8187 for anything that is not plain. */
function contentDisposition(name: string): string {
  const encoded = encodeURIComponent(name).replace(/['()*!]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`);
  return `inline; filename*=UTF-8''${encoded}`;
}

function headerText(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}
