import { AsyncLocalStorage } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import type { ConnectNodeAdapterOptions } from "@connectrpc/connect-node";
import { isConnectError, toWire } from "@graviton/rpc/errors";
import { codeName } from "@graviton/rpc/handlers";

type Interceptor = NonNullable<ConnectNodeAdapterOptions["interceptors"]>[number];

/** Statuses that say that there is no such method, content type or version, before anything is asked of a store. */
const unservedStatuses = new Set([405, 415, 501, 505]);

const outcomes = new AsyncLocalStorage<Outcome>();

/**
 * How one request ends, as a code of gRPC: calls over HTTP are counted and logged in the same words as all others.
 * Its status would not do, because 503 has two reasons and 500 has two, and because it has left long before a download
 * fails.
 */
export class Outcome {
  #failure: string | undefined;

  /** Runs the work of the request, inside of which {@link noteFailure} finds this. */
  run<T>(work: () => T): T {
    return outcomes.run(this, work);
  }

  /** The first failure is the cause of those after it. */
  fail(error: unknown): void {
    this.#failure ??= codeOf(error);
  }

  /** The code, once the response is closed. */
  of({ writableFinished, statusCode }: ServerResponse): string {
    if (this.#failure !== undefined) return this.#failure;
    return writableFinished ? codeOfStatus(statusCode) : "CANCELLED";
  }
}

/** Notes why the request fails that is being served. */
export function noteFailure(error: unknown): void {
  outcomes.getStore()?.fail(error);
}

/** Notes why calls over Connect and gRPC-Web fail: streams end with HTTP's status 200 even then. */
export const noteRpcFailures: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: noted(response.message) } : response;
  } catch (error) {
    noteFailure(error);
    throw error;
  }
};

async function* noted<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  try {
    yield* messages;
  } catch (error) {
    noteFailure(error);
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
