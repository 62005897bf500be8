import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { CallOptions } from "@graviton/ports/call-options";
import { isStorageError } from "@graviton/ports/storage-error";
import { releasedKey } from "./call-context.ts";
import { fromWire, isConnectError, toWire } from "./errors.ts";

/**
 * One service over its port. `serveGrpc` serves it on grpc-js; a ConnectRouter takes it as
 * `router.service(routes.service, routes.implementation)`. Its methods throw nothing but ConnectErrors.
 */
export interface Routes<Desc extends DescService = DescService> {
  readonly service: Desc;
  readonly implementation: ServiceImpl<Desc>;
}

/** What the service of one port needs besides the port. */
export interface RoutesOptions {
  /**
   * Told of every failure, once, with its cause, which the wire never carries. Without it, failures that are no
   * {@link import("@graviton/ports/storage-error").StorageError} become warnings of the process.
   */
  readonly onError?: ((error: unknown, failed: FailedCall) => void) | undefined;
}

/** Which call failed. */
export interface FailedCall {
  /** `graviton.blob.v1.BlobService/PutBlob`. */
  readonly method: string;
}

type Handler = (request: unknown, context: HandlerContext) => unknown;

/**
 * Makes Routes of an implementation that decodes, calls its port and encodes. The one place where errors are
 * reported and become those of the wire.
 */
export function defineRoutes<Desc extends DescService>(
  service: Desc,
  implementation: ServiceImpl<Desc>,
  options: RoutesOptions = {},
): Routes<Desc> {
  const onError = options.onError ?? warn;
  const plain = implementation as Record<string, Handler>;
  const guarded = service.methods.map((method) => {
    const handler = plain[method.localName] as Handler;
    return [method.localName, guard(method, handler.bind(implementation), onError)];
  });
  return { service, implementation: Object.fromEntries(guarded) as ServiceImpl<Desc> };
}

/** What a port is to know of a call: when it was given up, until when it matters, and what its client has taken. */
export function callOptions(context: HandlerContext): CallOptions {
  const timeoutMs = context.timeoutMs();
  return {
    signal: storageSignal(context.signal),
    ...(timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }),
    released: context.values.get(releasedKey),
  };
}

function guard(method: DescMethod, handler: Handler, onError: NonNullable<RoutesOptions["onError"]>): Handler {
  const fail = (error: unknown) => {
    const failure = isConnectError(error) ? fromWire(error) : error;
    onError(failure, { method: `${method.parent.typeName}/${method.name}` });
    return toWire(failure);
  };
  const input = (request: unknown) => {
    const streams = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
    return streams ? fromPeer(request as AsyncIterable<unknown>) : request;
  };
  if (method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming") {
    return async function* (request, context) {
      try {
        yield* handler(input(request), context) as AsyncIterable<unknown>;
      } catch (error) {
        throw fail(error);
      }
    };
  }
  return async (request, context) => {
    try {
      return await handler(input(request), context);
    } catch (error) {
      throw fail(error);
    }
  };
}

/** The requests of a stream; a port that they feed sees the peer's cancellation as a StorageError. */
async function* fromPeer(requests: AsyncIterable<unknown>): AsyncGenerator<unknown, void, void> {
  try {
    yield* requests;
  } catch (error) {
    throw fromWire(error, "the client");
  }
}

/** The same signal with a reason that ports understand: Connect aborts with errors of its own. */
function storageSignal(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    const reason: unknown = signal.reason;
    controller.abort(isConnectError(reason) ? fromWire(reason, "the client") : reason);
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return controller.signal;
}

function warn(error: unknown, { method }: FailedCall): void {
  if (!isStorageError(error)) warnOf(`${method} failed`, error);
}

/** Tells of a failure that nobody foresaw as a warning of the process. */
export function warnOf(what: string, error: unknown): void {
  process.emitWarning(`${what}: ${Error.isError(error) ? (error.stack ?? error.message) : String(error)}`);
}
