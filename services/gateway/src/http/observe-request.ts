import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { CallObservation, CallObserver } from "@graviton/rpc/call-observer";
import { outcomeOf } from "./outcome.ts";

const methods = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]);

/** Bytes of each connection that are counted already: when a request begins, some of its bytes have come. */
const counted = new WeakMap<Socket, { readonly read: number; readonly written: number }>();

/**
 * Lets an observer follow one request to its end. Its bytes are those of the socket, headers and all.
 *
 * @param rpcPaths of the methods that are served: `/graviton.blob.v1.BlobService/StatBlob`
 */
export function observeRequest(
  observer: CallObserver,
  rpcPaths: ReadonlySet<string>,
  request: IncomingMessage,
  response: ServerResponse,
): CallObservation {
  const { socket } = request;
  const observation = observer({
    service: "http",
    method: methodOf(rpcPaths, request),
    peer: `${socket.remoteAddress}:${socket.remotePort}`,
    header: headersOf(request),
  });
  response.once("close", () => {
    const before = counted.get(socket) ?? { read: 0, written: 0 };
    const { bytesRead: read, bytesWritten: written } = socket;
    counted.set(socket, { read, written });
    observation.received(read - before.read);
    observation.sent(written - before.written);
    observation.end(outcomeOf(response));
  });
  return observation;
}

/** The headers of a request, each with all of its values. */
function headersOf({ headersDistinct }: IncomingMessage): Headers {
  return new Headers(Object.entries(headersDistinct).flatMap(([name, values]) => pairs(name, values)));
}

/** Few different ones, so that they can be labels: keys are left out, and paths that nobody serves. */
function methodOf(rpcPaths: ReadonlySet<string>, { method = "", url = "/" }: IncomingMessage): string {
  const path = url.split("?", 1)[0] ?? "/";
  const known = rpcPaths.has(path) || path === "/" || path === "/v1/blobs";
  const shown = known ? path : path.startsWith("/v1/blobs/") ? "/v1/blobs/{key}" : "other";
  return `${methods.has(method) ? method : "other"} ${shown}`;
}

function pairs(name: string, values: readonly string[] = []): [string, string][] {
  return name.startsWith(":") ? [] : values.map((value) => [name, value]);
}
