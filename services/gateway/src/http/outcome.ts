import type { IncomingMessage, ServerResponse } from "node:http";
import { createContextKey } from "@connectrpc/connect";
import type { ConnectNodeAdapterOptions } from "@connectrpc/connect-node";
import { isConnectError, toWire } from "@graviton/rpc/errors";
import { codeName } from "@graviton/rpc/handlers";

type Interceptor = NonNullable<ConnectNodeAdapterOptions["interceptors"]>[number];

/** Statuses that say that there is no such method, content type or version, before anything is asked of a store. */
const unservedStatuses = new Set([405, 415, 501, 505]);

/** The codes of requests that failed. */
const failures = new WeakMap<IncomingMessage, string>();

/** The request that a call over Connect came by. */
export const requestKey = createContextKey<IncomingMessage | undefined>(undefined);

/** Notes why a request fails. The first failure is the cause of those after it. */
export function noteFailure(request: IncomingMessage | undefined, error: unknown): void {
  if (request !== undefined && !failures.has(request)) failures.set(request, codeOf(error));
}

/**
 * How a request ended, as a code of gRPC: calls over HTTP are counted and logged in the same words as all others. The
 * status alone would not do, because 503 has two reasons and 500 has two, and because it has left long before a download
 * fails.
 */
export function outcomeOf({ req, writableFinished, statusCode }: ServerResponse): string {
  return failures.get(req) ?? (writableFinished ? codeOfStatus(statusCode) : "CANCELLED");
}

/** Notes why calls over Connect and gRPC-Web fail: streams end with HTTP's status 200 even then. */
export const noteRpcFailures: Interceptor = (next) => async (request) => {
  const failed = (error: unknown) => noteFailure(request.contextValues.get(requestKey), error);
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: noted(response.message, failed) } : response;
  } catch (error) {
    failed(error);
    throw error;
  }
};

async function* noted<T>(messages: AsyncIterable<T>, failed: (error: unknown) => void): AsyncGenerator<T, void, void> {
  try {
    yield* messages;
  } catch (error) {
    failed(error);
    throw error;
  }
}

function codeOf(error: unknown): string {
  const { code } = isConnectError(error) ? error : toWire(error);
  return codeName(code);
}

/** For answers that no {@link noteFailure} was heard of. */
function codeOfStatus(status: number): string {
  if (status < 400) return "OK";
  if (unservedStatuses.has(status)) return "UNIMPLEMENTED";
  return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
}
