import type { ServerHttp2Stream } from "node:http2";
import type { ServerDuplexStream } from "@grpc/grpc-js";

/** The HTTP/2 stream beneath a call, which grpc-js keeps to itself, and without which a call cannot be reset. */
export function http2StreamOf(call: ServerDuplexStream<unknown, unknown>): ServerHttp2Stream {
  return (call as unknown as { readonly call: { readonly stream: ServerHttp2Stream } }).call.stream;
}
