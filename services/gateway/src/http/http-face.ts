import type { IncomingMessage, ServerResponse } from "node:http";
import type { BlobStore } from "@graviton/ports/blob-store";
import { isStorageError, StorageError } from "@graviton/ports/storage-error";
import type { RoutesOptions } from "@graviton/rpc/routes";
import { deleteBlob, type Exchange, getBlob, listBlobs, putBlob } from "./blob-routes.ts";
import { noSuchPath, sendProblem } from "./problem.ts";
import { sendWelcome, type WelcomeFacts } from "./welcome.ts";

/** What the HTTP face stands on. */
export interface HttpFaceParts {
  readonly blobs: BlobStore;
  readonly welcome: WelcomeFacts;
  /** Hears of every failure, as that of the routes does. */
  readonly onError?: RoutesOptions["onError"];
}

/** Blobs over plain HTTP: put, get with ranges, head, delete, list, and a first page that says what to type next. */
export function httpFace(parts: HttpFaceParts): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const gone = clientGone(response);
    answer(parts, request, response, gone).catch((error: unknown) => {
      // Node has errors of its own for a connection that the client broke.
      const failure = gone.aborted && !isStorageError(error) ? gone.reason : error;
      parts.onError?.(failure, { method: `${request.method} ${request.url}` });
      sendProblem(response, failure);
    });
  };
}

async function answer(
  parts: HttpFaceParts,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const exchange: Exchange = { request, response, url: urlOf(request), signal };
  const { pathname } = exchange.url;
  if (pathname === "/") return only(exchange, ["GET", "HEAD"], () => sendWelcome(parts.welcome, request, response));
  if (pathname === "/v1/blobs") return collection(parts.blobs, exchange);
  const [, keyText] = /^\/v1\/blobs\/([^/]+)$/.exec(pathname) ?? [];
  if (keyText === undefined) throw noSuchPath(pathname);
  return item(parts.blobs, exchange, decoded(keyText));
}

async function collection(blobs: BlobStore, exchange: Exchange): Promise<void> {
  if (exchange.request.method === "PUT") return putBlob(blobs, exchange, undefined);
  return only(exchange, ["GET", "PUT"], () => listBlobs(blobs, exchange));
}

async function item(blobs: BlobStore, exchange: Exchange, keyText: string): Promise<void> {
  if (exchange.request.method === "PUT") return putBlob(blobs, exchange, keyText);
  if (exchange.request.method === "DELETE") return deleteBlob(blobs, exchange, keyText);
  return only(exchange, ["GET", "HEAD", "PUT", "DELETE"], () => getBlob(blobs, exchange, keyText));
}

/** Serves GET, and HEAD where it is allowed; anything else learns what is. */
async function only(
  { request, response }: Exchange,
  allowed: string[],
  serve: () => Promise<void> | void,
): Promise<void> {
  const method = request.method ?? "";
  if (method === "GET" || (method === "HEAD" && allowed.includes("HEAD"))) return serve();
  const body = `${JSON.stringify({ type: "about:blank", title: "Method Not Allowed", status: 405, detail: `use ${allowed.join(", ")}` })}\n`;
  response.writeHead(405, { allow: allowed.join(", "), "content-type": "application/problem+json" }).end(body);
}

/** Aborts when the client goes away before it has its answer. */
function clientGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) gone.abort(new StorageError("CANCELLED", "the client went away"));
  });
  return gone.signal;
}

function urlOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? "/", "http://localhost");
  if (url === null) throw new StorageError("INVALID_ARGUMENT", "malformed request target");
  return url;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new StorageError("INVALID_ARGUMENT", `malformed key ${JSON.stringify(text)}`, { cause: error });
  }
}
