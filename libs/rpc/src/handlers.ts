import { constants, type ServerHttp2Stream } from "node:http2";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { abortError } from "@graviton/ports/call-options";
import { isStorageError, StorageError } from "@graviton/ports/storage-error";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { CallContext, releasedKey } from "./call-context.ts";
import { type CallObserver, type ServedCall, unobserved } from "./call-observer.ts";
import { type Codec, codecOf, type Outgoing } from "./codec.ts";
import { isConnectError, toWire } from "./errors.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { type Routes, warnOf } from "./routes.ts";
import { endWhenSilent } from "./silent-streams.ts";
import { statusOf } from "./status.ts";

/** How long a client whose call has ended may take what is on its way, in milliseconds. */
const takingMsMax = 1000;

type Fields = Record<string, unknown>;
type Handler = (request: unknown, context: CallContext) => unknown;

/** A service as grpc-js takes it. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

/** How a service is served. */
export interface GrpcServiceOptions {
  /** Told of every call. */
  readonly observer?: CallObserver | undefined;
  /**
   * How long the client of a streaming call may neither send nor take anything while it is its turn, in milliseconds, and
   * up to twice as long; for ever when absent, as it has to be where clients keep calls open to send on them later.
   */
  readonly silenceMsMax?: number | undefined;
}

/**
 * Routes as a service of grpc-js. Messages stay bytes inside grpc-js, so that reading ahead can be counted in bytes; and
 * every streaming method is bidirectional there, which on the wire makes no difference.
 */
export function grpcService(routes: Routes, options: GrpcServiceOptions = {}): GrpcService {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const method of routes.service.methods) {
    definition[method.name] = methodDefinition(method);
    handlers[method.name] = methodHandler(method, routes.implementation, options);
  }
  return { definition, handlers };
}

/** The path of a method: `/graviton.blob.v1.BlobService/PutBlob`. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** What grpc-js gets for (de)serializers: it is handed bytes, and hands bytes on. */
export function unchanged(bytes: Outgoing): Buffer {
  return bytes as Buffer;
}

function methodDefinition(method: DescMethod): ServiceDefinition[string] {
  const streams = method.methodKind !== "unary";
  return {
    path: pathOf(method),
    originalName: method.localName,
    requestStream: streams,
    responseStream: streams,
    requestSerialize: unchanged,
    requestDeserialize: unchanged,
    responseSerialize: unchanged,
    responseDeserialize: unchanged,
  };
}

function methodHandler(method: DescMethod, implementation: ServiceImpl<DescService>, options: GrpcServiceOptions) {
  const handler = (implementation as Record<string, Handler>)[method.localName] as Handler;
  return method.methodKind === "unary"
    ? unaryHandler(method, handler, options)
    : streamHandler(method, handler, options);
}

function unaryHandler(
  method: DescMethod,
  handler: Handler,
  { observer = unobserved }: GrpcServiceOptions,
): handleUnaryCall<Buffer, Outgoing> {
  const output = codecOf(method.output);
  const answer = async (call: ServerUnaryCall<Buffer, Outgoing>, context: CallContext) => {
    const request = decoded(codecOf(method.input), call.request);
    const response = output.encode((await handler(request, context)) as Fields);
    call.sendMetadata(context.response.header);
    return response;
  };
  return (call, callback) => {
    const context = new CallContext(method, call);
    const observation = observer(servedCall(method, call.getPeer(), context));
    observation.received(call.request.length);
    const answered = observation.run(() => answer(call, context)).finally(() => context.end());
    answered.then(
      (response) => {
        observation.sent(response.length);
        observation.end("OK");
        callback(null, response, context.response.trailer);
      },
      (error: unknown) => {
        const failure = statusOf(wireError(error));
        observation.end(codeName(failure.code));
        callback(failure);
      },
    );
  };
}

function streamHandler(
  method: DescMethod,
  handler: Handler,
  { observer = unobserved, silenceMsMax }: GrpcServiceOptions,
): handleBidiStreamingCall<Buffer, Outgoing> {
  return (call) => {
    const context = new CallContext(method, call);
    const observation = observer(servedCall(method, call.getPeer(), context));
    const inbox = new Inbox(call);
    const stream = http2StreamOf(call);
    const moved = silenceMsMax === undefined ? () => {} : endWhenSilent(stream, silenceMsMax);
    const outbox = new Outbox(call, moved);
    stream.once("close", () => outbox.drop());
    context.values.set(releasedKey, () => outbox.empty());
    call.on("data", (message: Buffer) => {
      moved();
      observation.received(message.length);
    });
    call.on("end", () => closeUnlessCancelled(call, inbox));
    context.signal.addEventListener("abort", () => {
      inbox.discard({ error: abortError(context.signal) });
      outbox.close();
      closeUnlessTaken(stream);
    });
    const begin = () => call.sendMetadata(context.response.header);
    const write = (message: Outgoing) => {
      observation.sent(message.length);
      return outbox.write(message);
    };
    const served = observation
      .run(() => serveStream(method, handler, context, { inbox, write, begin }))
      .finally(() => context.end());
    served.then(
      () => {
        // A reader that went away ends the handler without an error.
        const aborted = context.signal.aborted ? abortError(context.signal).reason : "OK";
        observation.end(aborted);
        call.end(context.response.trailer);
      },
      (error: unknown) => {
        const failure = statusOf(wireError(error));
        observation.end(codeName(failure.code));
        endWith(call, failure);
      },
    );
  };
}

/**
 * A client on Node that cancels ends its stream before it resets it, so that at first the one looks like the other; and a
 * port that takes a broken upload for a whole one stores half of it. The reset comes with the end or right after it:
 * by the next turn of the loop grpc-js knows of it, and says so when it is asked for one more message.
 */
function closeUnlessCancelled(call: ServerDuplexStream<Buffer, Outgoing>, inbox: Inbox): void {
  setImmediate(() => {
    call._read(1);
    process.nextTick(() => inbox.close());
  });
}

/** A client that no longer waits for its call and still takes nothing would keep what was sent to it in memory. */
function closeUnlessTaken(stream: ServerHttp2Stream): void {
  if (stream.closed) return;
  const close = () => stream.close(constants.NGHTTP2_CANCEL);
  const timer = setTimeout(() => stream.writableLength > 0 && close(), takingMsMax).unref();
  stream.once("close", () => clearTimeout(timer));
}

/** The HTTP/2 stream beneath a call, which grpc-js keeps to itself, and without which a call cannot be reset. */
function http2StreamOf(call: ServerDuplexStream<unknown, unknown>): ServerHttp2Stream {
  return (call as unknown as { readonly call: { readonly stream: ServerHttp2Stream } }).call.stream;
}

interface StreamEnds {
  readonly inbox: Inbox;
  /** Sends one message; false once the call has ended. */
  write(message: Outgoing): Promise<boolean>;
  /** Sends the headers of the answer. */
  begin(): void;
}

async function serveStream(method: DescMethod, handler: Handler, context: CallContext, ends: StreamEnds) {
  const output = codecOf(method.output);
  let begun = false;
  for await (const response of responses(method, handler, context, ends.inbox)) {
    if (!begun) ends.begin();
    begun = true;
    if (!(await ends.write(output.encode(response as Fields)))) return;
  }
}

async function* responses(
  method: DescMethod,
  handler: Handler,
  context: CallContext,
  inbox: Inbox,
): AsyncGenerator<unknown, void, void> {
  const requests = decodedAll(codecOf(method.input), inbox);
  switch (method.methodKind) {
    case "client_streaming":
      yield await handler(requests, context);
      return;
    case "bidi_streaming":
      yield* handler(requests, context) as AsyncIterable<unknown>;
      return;
    default: {
      const first = await requests.next();
      if (first.done) throw new StorageError("INVALID_ARGUMENT", `${method.name} needs a request`);
      yield* handler(first.value, context) as AsyncIterable<unknown>;
    }
  }
}

async function* decodedAll(codec: Codec, inbox: Inbox): AsyncGenerator<unknown, void, void> {
  for await (const bytes of inbox) yield decoded(codec, bytes);
}

function decoded(codec: Codec, bytes: Buffer): unknown {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new StorageError("INVALID_ARGUMENT", "the request is not a message of this method", { cause: error });
  }
}

/** Ends the call with a status. On a call that its peer has cancelled it does nothing. */
function endWith(call: ServerDuplexStream<Buffer, Outgoing>, failure: ReturnType<typeof statusOf>): void {
  if (!call.cancelled) call.emit("error", failure);
}

function servedCall(method: DescMethod, peer: string, context: CallContext): ServedCall {
  return { service: method.parent.typeName, method: method.name, peer, header: context.requestHeader };
}

/** The names of gRPC's codes. */
export const codeNames: readonly string[] = Object.values(status).filter((value) => typeof value === "string");

/** `NOT_FOUND` for 5. */
export function codeName(code: number | undefined): string {
  return status[code ?? status.UNKNOWN] ?? "UNKNOWN";
}

/** What routes throw is for the wire already. Anything else went wrong around them, and nobody has heard of it. */
function wireError(error: unknown) {
  if (isConnectError(error)) return error;
  if (!isStorageError(error)) warnOf("An answer could not be sent", error);
  return toWire(error);
}
