import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import { Metadata, type ServerDuplexStream, type ServerUnaryCall } from "@grpc/grpc-js";

/** grpc-js ends a call at its deadline by the same event as a cancellation; timers may fire this much early. */
const timerSlackMs = 10;

/** The longest time that a timer of Node can wait: it fires at once for a longer one. */
export const timerMsMax = 2 ** 31 - 1;

type ServerCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** What a handler learns of a call that grpc-js serves. */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly responseHeader = new Headers();
  readonly responseTrailer = new Headers();
  readonly #call: ServerCall;
  readonly #deadline: number;
  readonly #controller = new AbortController();
  #header: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(method: DescMethod, call: ServerCall) {
    this.method = method;
    this.#call = call;
    this.#deadline = Number(call.getDeadline());
    const timer = this.#expire();
    // grpc-js says "cancelled" at the end of every call, however it ends.
    call.once("cancelled", () => {
      clearTimeout(timer);
      this.#abort();
    });
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
    this.#header ??= headersOf(this.#call.metadata);
    return this.#header;
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
    if (this.signal.aborted) return;
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
