import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { checkS3Config } from "../config.ts";
import { type AnsweringProxy, answeringProxy } from "./answering-proxy.ts";
import { configOf, type S3Engine } from "./s3-engine.ts";

/** Puts in order what a listing gives. */
export type CompareKeys = (a: string, b: string) => number;

/** As an S3 that keeps folders does: by the names in each, a folder `a` before an object `a!`. */
export const byFolder: CompareKeys = (a, b) => {
  const [names, others] = [a.split("/"), b.split("/")];
  const at = names.findIndex((name, index) => name !== others[index]);
  if (at === -1) return names.length - others.length;
  const other = others[at];
  return other === undefined ? 1 : Buffer.compare(Buffer.from(names[at] ?? ""), Buffer.from(other));
};

/** A proxy before an engine, which lists in another order than the engine, and in folders as SeaweedFS does. */
export async function listOrderProxy(engine: S3Engine, compare: CompareKeys): Promise<AnsweringProxy> {
  const proxy = await answeringProxy(engine.endpoint);
  const client = new S3Client(checkS3Config(configOf(engine)).client);
  const known = new Map<string, readonly string[]>();
  proxy.answer = async (request) => {
    const { method, url } = request;
    if (method !== "GET") known.clear();
    if (method !== "GET" || !url.searchParams.has("list-type")) return request.forward();
    const prefix = url.searchParams.get("prefix") ?? "";
    const keys = known.get(prefix) ?? (await keysOf(client, engine.bucket, prefix)).sort(compare);
    known.set(prefix, keys);
    return { status: 200, body: pageOf(keys, url.searchParams, compare) };
  };
  const close = proxy[Symbol.asyncDispose];
  proxy[Symbol.asyncDispose] = async () => {
    client.destroy();
    await close();
  };
  return proxy;
}

async function keysOf(client: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key = "" }) => Key);
}

function pageOf(keys: readonly string[], query: URLSearchParams, compare: CompareKeys): string {
  const prefix = query.get("prefix") ?? "";
  const marker = (query.get("continuation-token") ?? query.get("start-after"))?.replace(/\/$/, "");
  const left = keys.filter((key) => marker === undefined || compare(key, marker) > 0);
  const entries = query.has("delimiter") ? foldersIn(left, prefix, marker) : left;
  const page = entries.slice(0, Number(query.get("max-keys") ?? 1000));
  const isTruncated = page.length < entries.length;
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  const about = `<EncodingType>url</EncodingType><IsTruncated>${isTruncated}</IsTruncated>${next}`;
  return `<ListBucketResult>${about}${page.map(entryOf).join("")}</ListBucketResult>`;
}

/** Not that of the marker itself; and after a marker that is in a folder those beside the marker. */
function foldersIn(keys: readonly string[], prefix: string, marker = ""): string[] {
  const from = Math.max(prefix.length, marker.lastIndexOf("/") + 1);
  const entries = keys.map((key) => key.slice(0, key.indexOf("/", from) + 1) || key);
  return [...new Set(entries)].filter((entry) => entry !== `${marker}/`);
}

function entryOf(key: string): string {
  const text = encodeURIComponent(key);
  if (key.endsWith("/")) return `<CommonPrefixes><Prefix>${text}</Prefix></CommonPrefixes>`;
  return `<Contents><Key>${text}</Key><Size>1</Size></Contents>`;
}
