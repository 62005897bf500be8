import type { ServerResponse } from "node:http";
import { isStorageError, type Reason, StorageError } from "@graviton/ports/storage-error";
import { noteFailure } from "./outcome.ts";

/** The HTTP status of each reason. 499 is what proxies log for a client that went away. */
export const statusOf = {
  NOT_FOUND: 404,
  INVALID_ARGUMENT: 400,
  HASH_MISMATCH: 422,
  TOO_LARGE: 413,
  OUT_OF_RANGE: 416,
  MISSING_BLOCKS: 409,
  ALREADY_EXISTS: 409,
  CONFLICT: 409,
  CORRUPT: 500,
  EXHAUSTED: 503,
  UNAVAILABLE: 503,
  UNSUPPORTED: 501,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  CANCELLED: 499,
  DEADLINE_EXCEEDED: 504,
} satisfies Record<Reason, number>;

/** An error as RFC 9457 writes it. `reason` and `resource` are members of our own. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly reason?: Reason;
  readonly resource?: string;
  readonly missing?: readonly string[];
}

/** What a client may know of an error. A bug of ours shows no more than that it is one. */
export function problemOf(error: unknown): Problem {
  if (!isStorageError(error)) {
    return { type: "about:blank", title: "INTERNAL", status: 500, detail: "internal error" };
  }
  return {
    type: "about:blank",
    title: error.reason,
    status: statusOf[error.reason],
    detail: error.message,
    reason: error.reason,
    ...(error.resource === undefined ? {} : { resource: error.resource }),
    ...(error.missing === undefined ? {} : { missing: error.missing }),
  };
}

/**
 * Answers with the problem. Once bytes have left, the only honest answer is to break the connection: the client sees
 * that the body is short.
 */
export function sendProblem(response: ServerResponse, error: unknown, headers: Record<string, string> = {}): void {
  noteFailure(response.req, error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const problem = problemOf(error);
  const retryAfterMs = isStorageError(error) ? error.retryAfterMs : undefined;
  const body = `${JSON.stringify(problem)}\n`;
  response.writeHead(problem.status, {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    ...(retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
    ...headers,
  });
  response.end(body);
}

/** The error for a path that nothing answers to. */
export function noSuchPath(path: string): StorageError {
  return new StorageError("NOT_FOUND", `nothing is at ${path}: see GET / for what there is`);
}
