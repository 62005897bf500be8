import { createHash, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Locator } from "@graviton/ports/locator";
import type { Config } from "@graviton/service/settings";

/*
 * The locator below which a process keeps its blocks: the same for processes that keep the same ones, and for no others,
 * though buckets, folders and machines may have the same names. So it ends in what the storage itself keeps, an id.
 */

/** @param id of the storage, which a copy of the bucket at another endpoint has too */
export function s3Location({ s3Bucket, s3Prefix, s3Endpoint }: Config, id: string): Locator {
  const host = s3Endpoint === undefined ? "" : new URL(s3Endpoint).host;
  // Where an S3 is may be nobody's business.
  const place = createHash("sha256").update(`${host} ${id}`).digest("hex").slice(0, 32);
  return { scheme: "s3", bucket: s3Bucket, path: pathOf(`${s3Prefix}blocks/${place}`) };
}

/** @param id of the folder, which a copy of it on another machine has too */
export function folderLocation(folder: string, id: string): Locator {
  return { scheme: "fs", bucket: machine(), path: pathOf(`${folder}/${id}`) };
}

export function memoryLocation(): Locator {
  return { scheme: "mem", bucket: machine(), path: randomUUID() };
}

/** A locator has no empty segments, and no characters that need quotes. */
function pathOf(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.map(encodeURIComponent).join("/");
}

function machine(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return name.replace(/^-|-$/g, "").slice(0, 63) || "localhost";
}
