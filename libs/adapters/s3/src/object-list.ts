import { compareBytes } from "@graviton/ports/byte-order";
import type { LocatorPrefix } from "@graviton/ports/locator";
import type { ObjectInfo } from "@graviton/ports/object-store";
import type { S3Bucket } from "./bucket.ts";
import { walked } from "./folder-walk.ts";
import { listPageObjects } from "./limits.ts";
import type { ListOrder } from "./list-order.ts";
import { type Listed, type ListSource, listPages } from "./list-pages.ts";
import { listedInDisorder } from "./object-errors.ts";
import { disorderOf, isCut, keyBefore, keyPrefixOf, objectsOf, pathIn, pathOf } from "./object-keys.ts";
import type { ObjectReader } from "./object-reader.ts";

/** What a listing stands on, and what it is restricted to. */
export interface ListRequest {
  readonly bucket: S3Bucket;
  readonly reader: ObjectReader;
  readonly order: ListOrder;
  readonly prefix: LocatorPrefix;
  /** A path; only what comes after it. */
  readonly after: string | undefined;
  /** How many are wanted at most, so that no page is larger. */
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** The objects in the byte order of their paths, a page at a time. */
export async function* listObjects(request: ListRequest): AsyncGenerator<ObjectInfo, void, void> {
  const { prefix, after } = request;
  const begin = after === undefined ? undefined : Buffer.from(after);
  for await (const info of inOrder(request)) {
    const { path } = info.locator;
    if (!path.startsWith(prefix.path)) continue;
    if (begin === undefined || Buffer.compare(Buffer.from(path), begin) > 0) yield info;
  }
}

/** The order of the keys is that of the paths, but for long keys that begin alike: those are gathered, and sorted. */
async function* inOrder(request: ListRequest): AsyncGenerator<ObjectInfo, void, void> {
  let alike: Listed[] = [];
  let disorder: string | undefined;
  for await (const listed of eachListed(request)) {
    const its = disorderOf(listed.key);
    if (its !== disorder) {
      yield* await sorted(request, alike);
      alike = [];
      disorder = its;
    }
    if (its !== undefined) alike.push(listed);
    else yield* await sorted(request, [listed]);
  }
  yield* await sorted(request, alike);
}

/** By their keys below the bucket of the locators, in the order of those. */
async function* eachListed(request: ListRequest): AsyncGenerator<Listed, void, void> {
  const { bucket, order, limit, signal } = request;
  const folder = objectsOf(bucket.prefix, request.prefix.bucket);
  const source = { bucket, folder, pageEntries: Math.min(limit, listPageObjects), signal };
  const prefix = keyPrefixOf(request.prefix.path);
  const after = request.after === undefined ? undefined : keyBefore(request.after);
  const listed =
    (await order.find(signal)) === "bytes" ? asGiven(source, prefix, after) : walked(source, prefix, after);
  let last = Buffer.alloc(0);
  for await (const one of listed) {
    const key = Buffer.from(one.key);
    if (Buffer.compare(key, last) <= 0) throw listedInDisorder();
    yield one;
    last = key;
  }
}

async function* asGiven(source: ListSource, prefix: string, after: string | undefined) {
  for await (const page of listPages(source, { prefix, after })) {
    for (const entry of page) if (entry.info !== undefined) yield entry;
  }
}

async function sorted(request: ListRequest, alike: readonly Listed[]): Promise<ObjectInfo[]> {
  const infos = await Promise.all(alike.map((listed) => withPath(request, listed)));
  return infos.filter((info) => info !== undefined).sort((a, b) => compareBytes(a.locator.path, b.locator.path));
}

/** Undefined for what is no object of ours, and for one that was deleted before it could say its path. */
async function withPath({ bucket, reader, prefix, signal }: ListRequest, listed: Listed) {
  const { key, info } = listed;
  const folder = objectsOf(bucket.prefix, prefix.bucket);
  const path = isCut(key) ? pathIn((await reader.lookAt(folder + key, prefix, signal))?.metadata) : pathOf(key);
  if (path === undefined) return undefined;
  return { locator: { scheme: prefix.scheme, bucket: prefix.bucket, path }, ...info };
}
