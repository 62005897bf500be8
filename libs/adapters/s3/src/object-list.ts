import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import type { LocatorPrefix } from "@graviton/ports/locator";
import type { ObjectInfo } from "@graviton/ports/object-store";
import type { S3Bucket } from "./bucket.ts";
import { listPageObjects } from "./limits.ts";
import { disorderOf, isCut, keyBefore, keyPrefixOf, objectsOf, pathIn, pathOf } from "./object-keys.ts";
import { type ObjectReader, plainEtag, wholeSeconds } from "./object-reader.ts";

/** What a listing stands on, and what it is restricted to. */
export interface ListRequest {
  readonly bucket: S3Bucket;
  readonly reader: ObjectReader;
  readonly prefix: LocatorPrefix;
  /** A path; only what comes after it. */
  readonly after: string | undefined;
  /** How many are wanted at most, so that no page is larger. */
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** One object of a page, by its key below the bucket of its locator. */
interface Listed {
  readonly key: string;
  readonly info: Omit<ObjectInfo, "locator">;
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

async function* eachListed({ bucket, prefix, after, limit, signal }: ListRequest): AsyncGenerator<Listed, void, void> {
  const folder = objectsOf(bucket.prefix, prefix.bucket);
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket.name,
      Prefix: folder + keyPrefixOf(prefix.path),
      MaxKeys: Math.min(limit, listPageObjects),
      // XML has no way to write some characters that a path may have.
      EncodingType: "url",
      ...(after === undefined ? {} : { StartAfter: folder + keyBefore(after) }),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await bucket.send(command, signal);
    for (const listed of listedIn(page)) yield { ...listed, key: listed.key.slice(folder.length) };
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** Not every S3 writes the keys as it was asked to. */
function listedIn({ Contents = [], EncodingType }: ListObjectsV2CommandOutput): Listed[] {
  return Contents.map(({ Key = "", Size = 0, LastModified, ETag }) => ({
    key: EncodingType === "url" ? decodeURIComponent(Key) : Key,
    info: { size: Size, modifiedAt: wholeSeconds(LastModified), etag: plainEtag(ETag) },
  }));
}

async function sorted(request: ListRequest, alike: readonly Listed[]): Promise<ObjectInfo[]> {
  const infos = await Promise.all(alike.map((listed) => withPath(request, listed)));
  return infos
    .filter((info) => info !== undefined)
    .sort((a, b) => Buffer.compare(Buffer.from(a.locator.path), Buffer.from(b.locator.path)));
}

/** Undefined for what is no object of ours, and for one that was deleted before it could say its path. */
async function withPath({ bucket, reader, prefix, signal }: ListRequest, listed: Listed) {
  const { key, info } = listed;
  const folder = objectsOf(bucket.prefix, prefix.bucket);
  const path = isCut(key) ? pathIn((await reader.lookAt(folder + key, prefix, signal))?.metadata) : pathOf(key);
  if (path === undefined) return undefined;
  return { locator: { scheme: prefix.scheme, bucket: prefix.bucket, path }, ...info };
}
