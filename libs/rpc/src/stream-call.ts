import type { DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { abortable } from "@graviton/ports/lifetime";
import { type Client, type ClientDuplexStream, type StatusObject, status } from "@grpc/grpc-js";
import { copyHeaders, headersOf, metadataOf } from "./call-context.ts";
import { type CallInit, decoded, optionsOf } from "./call-init.ts";
import { codecOf, type Outgoing } from "./codec.ts";
import { pathOf, unchanged } from "./handlers.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { errorOf } from "./status.ts";

/**
 * What grpc-js keeps of a call's messages to send them again should the server refuse the call unread, in bytes. It
 * takes kept messages as sent, and is slow where there are many: enough for a small call or an upload's header.
 */
export const retryBufferBytes = 4096;

/** One streaming call of a client: its messages in both directions, and its one end. */
export class StreamCall {
  readonly header = new Headers();
  readonly trailer = new Headers();
  /** Resolves with the headers of the answer, or with the end of the call. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  readonly #begun = Promise.withResolvers<void>();
  readonly #method: DescMethod;
  readonly #call: ClientDuplexStream<Outgoing, Buffer>;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #ended = new AbortController();
  #status: StatusObject | undefined;

  constructor(client: Client, method: DescMethod, init: CallInit) {
    this.#method = method;
    this.#call = client.makeBidiStreamRequest(
      pathOf(method),
      unchanged,
      unchanged,
      metadataOf(init.header),
      optionsOf(init),
    );
    this.#inbox = new Inbox(this.#call);
    this.#outbox = new Outbox(this.#call);
    this.#listen();
    this.#cancelWith(init.signal);
  }

  /** Writes the input to the end of it, or of the call. Never throws. */
  async send(input: AsyncIterable<unknown>): Promise<void> {
    const codec = codecOf(this.#method.input);
    try {
      for await (const message of abortable(input, this.#ended.signal)) {
        if (!(await this.#outbox.write(codec.encode(message as Record<string, unknown>)))) return;
      }
      this.#call.end();
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#breakOff({ error });
    }
  }

  /** The messages of the server. A reader that stops early cancels the call. */
  async *receive<O extends DescMessage>(output: O): AsyncGenerator<MessageShape<O>, void, void> {
    try {
      for await (const message of this.#inbox) yield decoded(output, message);
    } finally {
      this.#breakOff();
    }
  }

  /** Cancels the call. An upload that is broken off lacks its closing message, so that no server takes it for a whole one. */
  #breakOff(failure?: { readonly error: unknown }): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#outbox.close();
    this.#begun.resolve();
    this.#inbox.discard(failure ?? { error: new ConnectError("the call was cancelled", Code.Canceled) });
    this.#call.cancel();
  }

  #listen(): void {
    this.#call.on("metadata", (metadata) => {
      copyHeaders(headersOf(metadata), this.header);
      this.#begun.resolve();
    });
    // The status tells the same; without a listener the error would end the process.
    this.#call.on("error", () => {});
    this.#call.on("status", (ended: StatusObject) => {
      this.#status = ended;
      copyHeaders(headersOf(ended.metadata), this.trailer);
      this.#outbox.close();
      this.#ended.abort();
      this.#begun.resolve();
    });
    // The stream ends after its last message, and after the status is known.
    this.#call.on("end", () => this.#inbox.close(this.#failure()));
  }

  #failure(): { readonly error: unknown } | undefined {
    if (this.#status === undefined) return { error: new ConnectError("the call ended without a status", Code.Unknown) };
    return this.#status.code === status.OK ? undefined : { error: errorOf(this.#status) };
  }

  #cancelWith(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const cancel = () => this.#breakOff();
    signal.addEventListener("abort", cancel, { once: true });
    this.#ended.signal.addEventListener("abort", () => signal.removeEventListener("abort", cancel));
    if (signal.aborted) cancel();
  }
}
