import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Attributes } from "@graviton/ports/attributes";
import type { BlobInfo, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import type { ByteSpan } from "@graviton/ports/byte-range";
import { formatKey, isHashAlgorithm, type Key, parseKey } from "@graviton/ports/key";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { blobHeaders, etagOf, matches } from "./blob-headers.ts";
import { sendProblem } from "./problem.ts";
import { spanOfRangeHeader } from "./range-header.ts";

/** Blobs on one page of a listing when the client does not say. */
const listPageDefault = 1000;

/** The most that a client may ask for on one page of a listing. */
const listPageMax = 10_000;

/** How much of a page is written at once, in characters: one write a blob would cost more than the blob. */
const listPartLength = 65_536;

/** One request on its way. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** `PUT /v1/blobs` and `PUT /v1/blobs/{key}`: stores the body; with a key, only if that is what it is. */
export async function putBlob(blobs: BlobStore, exchange: Exchange, keyText: string | undefined): Promise<void> {
  const { request, response, url, signal } = exchange;
  const expected = keyText === undefined ? undefined : parseKey(keyText);
  const algorithm = url.searchParams.get("hash") ?? expected?.algorithm;
  if (algorithm !== undefined && !isHashAlgorithm(algorithm)) {
    throw new StorageError(
      "INVALID_ARGUMENT",
      `unknown hash algorithm ${JSON.stringify(algorithm)}: use blake3 or sha256`,
    );
  }
  const plan = { expected, algorithm, attributes: attributesOf(request, url) };
  const receipt = await blobs.put(plan, request, { signal });
  const key = formatKey(receipt.confirmed.key);
  sendJson(response, receipt.created ? 201 : 200, receiptJson(receipt), {
    location: `/v1/blobs/${key}`,
    etag: etagOf(receipt.confirmed.key),
  });
}

/** `GET` and `HEAD /v1/blobs/{key}`, with conditions, and for GET with ranges. */
export async function getBlob(blobs: BlobStore, exchange: Exchange, keyText: string): Promise<void> {
  const { request, response, signal } = exchange;
  const key = parseKey(keyText);
  const info = await blobs.stat(key, { signal });
  const headers = blobHeaders(info);
  if (matches(request.headers["if-none-match"], key)) {
    response.writeHead(304, headers).end();
    return;
  }
  const span = wantedSpan(request, response, key);
  if (span === "answered") return;
  const { start, end } = span ?? { start: 0, end: key.size };
  const whole = span === undefined;
  const partial = whole ? {} : { "content-range": `bytes ${start}-${end - 1}/${key.size}` };
  const head = () =>
    response.writeHead(whole ? 200 : 206, { ...headers, ...partial, "content-length": String(end - start) });
  if (request.method === "HEAD") {
    head().end();
    return;
  }
  await send(blobs.get(key, { offset: start, length: end - start }, { signal }), response, head);
}

/** `DELETE /v1/blobs/{key}`: absent is a success. */
export async function deleteBlob(blobs: BlobStore, { response, signal }: Exchange, keyText: string): Promise<void> {
  await blobs.delete(parseKey(keyText), { signal });
  response.writeHead(204).end();
}

/** `GET /v1/blobs?after=&limit=`: one page, and where the next one begins. */
export async function listBlobs(blobs: BlobStore, { response, url, signal }: Exchange): Promise<void> {
  const limit = Number(url.searchParams.get("limit") ?? listPageDefault);
  if (!Number.isInteger(limit) || limit < 1 || limit > listPageMax) {
    throw new StorageError("INVALID_ARGUMENT", `limit must be a whole number between 1 and ${listPageMax}`);
  }
  const after = url.searchParams.get("after") ?? undefined;
  const page = pageJson(blobs.list({ after, limit: limit + 1, signal }), limit);
  await send(page, response, () => response.writeHead(200, { "content-type": "application/json" }));
}

/** The JSON of a page, in parts: with all that clients may say of their blobs, a page is more than memory should hold. */
async function* pageJson(infos: AsyncIterable<BlobInfo>, limit: number): AsyncGenerator<string, void, void> {
  let text = '{"blobs":[';
  let shown = 0;
  let last = "";
  for await (const info of infos) {
    if (shown === limit) {
      yield `${text}],"next":${JSON.stringify(last)}}\n`;
      return;
    }
    const item = infoJson(info);
    text += `${shown === 0 ? "" : ","}${JSON.stringify(item)}`;
    shown += 1;
    last = item.key;
    if (text.length < listPartLength) continue;
    yield text;
    text = "";
  }
  yield `${text}]}\n`;
}

/** The first part is fetched before the headers leave, so that what fails at once still gets its status. */
async function send<T>(source: AsyncIterable<T>, response: ServerResponse, head: () => unknown): Promise<void> {
  const parts = source[Symbol.asyncIterator]();
  const first = await parts.next();
  head();
  const all = async function* () {
    try {
      for (let step = first; !step.done; step = await parts.next()) yield step.value;
    } finally {
      await parts.return?.();
    }
  };
  await pipeline(all, response);
}

/**
 * The span that the client wants; undefined for the whole, and "answered" when there is no such part. Ranges are defined
 * for GET alone, RFC 9110 §14.2.
 */
function wantedSpan(request: IncomingMessage, response: ServerResponse, key: Key): ByteSpan | undefined | "answered" {
  if (request.method !== "GET") return undefined;
  const condition = request.headers["if-range"];
  if (condition !== undefined && condition !== etagOf(key)) return undefined;
  try {
    return spanOfRangeHeader(request.headers.range, key.size);
  } catch (error) {
    if (!hasReason(error, "OUT_OF_RANGE")) throw error;
    sendProblem(response, error, { "content-range": `bytes */${key.size}` });
    return "answered";
  }
}

function attributesOf(request: IncomingMessage, url: URL): Attributes {
  return {
    contentType: request.headers["content-type"],
    name: url.searchParams.get("name") ?? undefined,
  };
}

function receiptJson(receipt: BlobReceipt) {
  const { freshBlocks, duplicateBlocks, freshBytes } = receipt;
  return { ...infoJson(receipt), freshBlocks, duplicateBlocks, freshBytes };
}

function infoJson({ confirmed, advertised }: BlobInfo) {
  return {
    key: formatKey(confirmed.key),
    size: confirmed.key.size,
    blocks: confirmed.blockCount,
    createdAt: new Date(confirmed.createdAt).toISOString(),
    attributes: advertised,
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
