import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { CallOptions } from "@grpc/grpc-js";
import { type HeadersSource, timerMsMax } from "./call-context.ts";
import { codecOf } from "./codec.ts";

/** What a client says of a call besides its messages. */
export interface CallInit {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeadersSource;
}

/** The same as grpc-js takes it. */
export function optionsOf({ timeoutMs }: CallInit): CallOptions {
  return isBounded(timeoutMs) ? { deadline: Date.now() + timeoutMs } : {};
}

/** A deadline beyond what a timer can wait for is none. */
export function isBounded(timeoutMs: number | undefined): timeoutMs is number {
  return timeoutMs !== undefined && timeoutMs <= timerMsMax;
}

/** @throws ConnectError INTERNAL for bytes that are not the message */
export function decoded<O extends DescMessage>(desc: O, bytes: Buffer): MessageShape<O> {
  try {
    return codecOf(desc).decode(bytes);
  } catch (error) {
    const what = `the answer is not a ${desc.typeName}`;
    throw new ConnectError(what, Code.Internal, undefined, undefined, error);
  }
}
