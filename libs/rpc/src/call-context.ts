import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import { Metadata, type ServerDuplexStream, type ServerUnaryCall } from "@grpc/grpc-js";
import type { Outgoing } from "./codec.ts";

/** grpc-js ends a call at its deadline by the same event as a cancellation; timers may fire this much early. */
const timerSlackMs = 10;

/** The longest time that a timer of Node can wait: it fires at once for a longer one. */
export const timerMsMax = 2 ** 31 - 1;

/** How a port waits until the client has taken what it was sent. */
export const releasedKey = createContextKey<(() => Promise<void>) | undefined>(undefined);

type ServerCall = ServerUnaryCall<Buffer, Outgoing> | ServerDuplexStream<Buffer, Outgoing>;

/** What a handler learns of a call that grpc-js serves. */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly #call: ServerCall;
  readonly #deadline: number;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  #done = false;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(method: DescMethod, call: ServerCall) {
    this.method = method;
    this.#call = call;
    this.#deadline = Number(call.getDeadline());
    this.#timer = this.#expire();
    call.once("cancelled", () => this.#abort());
  }

  /** Says that the handler is done. grpc-js says "cancelled" at the end of every call, however it ends. */
  end(): void {
    this.#done = true;
    clearTimeout(this.#timer);
  }

  get service() {
    return this.method.parent;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get url(): string {
    return `http://${this.#call.getHost()}${this.#call.getPath()}`;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#call.metadata);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** What the handler has set to go before the first message, and after the last one. */
  get response(): { readonly header: Metadata; readonly trailer: Metadata } {
    return { header: metadataOf(this.#responseHeader), trailer: metadataOf(this.#responseTrailer) };
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  timeoutMs(): number | undefined {
    return Number.isFinite(this.#deadline) ? Math.max(0, this.#deadline - Date.now()) : undefined;
  }

  /** grpc-js lets a call whose reader stands still run on past its deadline. */
  #expire(): NodeJS.Timeout | undefined {
    const timeoutMs = this.timeoutMs();
    if (timeoutMs === undefined || timeoutMs > timerMsMax) return undefined;
    return setTimeout(() => this.#abort(), timeoutMs).unref();
  }

  #abort(): void {
    if (this.#done || this.signal.aborted) return;
    clearTimeout(this.#timer);
    const late = this.#deadline - Date.now() <= timerSlackMs;
    this.#controller.abort(
      late
        ? new StorageError("DEADLINE_EXCEEDED", "the deadline passed")
        : new StorageError("CANCELLED", "the caller cancelled the call"),
    );
  }
}

/** Metadata of grpc-js as headers, without the binary ones. */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(metadata.getMap())) {
    if (typeof value === "string" && !name.startsWith(":")) headers.append(name, value);
  }
  return headers;
}

/** What headers can be made of. */
export type HeadersSource = ConstructorParameters<typeof Headers>[0];

/** Headers as metadata of grpc-js. */
export function metadataOf(headers: HeadersSource): Metadata {
  const metadata = new Metadata();
  if (headers !== undefined) new Headers(headers).forEach((value, name) => void metadata.set(name, value));
  return metadata;
}

/** Adds headers to others. */
export function copyHeaders(from: Headers, to: Headers): void {
  from.forEach((value, name) => {
    to.append(name, value);
  });
}
