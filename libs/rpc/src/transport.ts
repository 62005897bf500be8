import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import type { Client } from "@grpc/grpc-js";
import { copyHeaders, type HeadersSource, headersOf, metadataOf } from "./call-context.ts";
import { type CallInit, decoded, optionsOf } from "./call-init.ts";
import { codecOf } from "./codec.ts";
import { pathOf, unchanged } from "./handlers.ts";
import { errorOf } from "./status.ts";
import { StreamCall } from "./stream-call.ts";

/** A Transport of Connect over a client of grpc-js: what makes typed clients of `createClient` speak native gRPC. */
export function createGrpcTransport(client: Client, headers?: () => Readonly<Record<string, string>>): Transport {
  const withHeaders = (header: HeadersSource) =>
    headers === undefined ? header : [...new Headers(header), ...Object.entries(headers())];
  return {
    unary: (method, signal, timeoutMs, header, input) =>
      callUnary(client, method, { signal, timeoutMs, header: withHeaders(header) }, input),
    stream: (method, signal, timeoutMs, header, input) =>
      callStream(client, method, { signal, timeoutMs, header: withHeaders(header) }, input),
  };
}

async function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  init: CallInit,
  input: MessageInitShape<I>,
): Promise<UnaryResponse<I, O>> {
  const header = new Headers();
  const trailer = new Headers();
  const answer = Promise.withResolvers<Buffer>();
  const request = codecOf(method.input).encode(input);
  const call = client.makeUnaryRequest(
    pathOf(method),
    unchanged,
    unchanged,
    request,
    metadataOf(init.header),
    optionsOf(init),
    (error, response) => (error === null ? answer.resolve(response as Buffer) : answer.reject(errorOf(error))),
  );
  call.on("metadata", (metadata) => copyHeaders(headersOf(metadata), header));
  call.on("status", ({ metadata }) => copyHeaders(headersOf(metadata), trailer));
  const cancel = () => call.cancel();
  init.signal?.addEventListener("abort", cancel, { once: true });
  if (init.signal?.aborted) cancel();
  try {
    const message = decoded(method.output, await answer.promise);
    return { stream: false, service: method.parent, method, header, trailer, message };
  } finally {
    init.signal?.removeEventListener("abort", cancel);
  }
}

async function callStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodStreaming<I, O>,
  init: CallInit,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<StreamResponse<I, O>> {
  const call = new StreamCall(client, method, init);
  void call.send(input);
  await call.begun;
  const { header, trailer } = call;
  return { stream: true, service: method.parent, method, header, trailer, message: call.receive(method.output) };
}
