import type { Readable } from "node:stream";

/** Bytes of messages that a call holds ahead of its reader before it stops asking for more. */
export const readAheadBytes = 2 * 1024 * 1024;

/** Messages, likewise. */
const readAheadMessages = 64;

/**
 * The messages that a call of grpc-js received and nobody took yet. It asks for the next one only while there is room,
 * so that a slow reader slows its writer down instead of filling the memory; the call's own read-ahead, sixteen messages of
 * any size, is out of the way. For one reader.
 */
export class Inbox implements AsyncIterableIterator<Buffer, void, void> {
  readonly #messages: Buffer[] = [];
  readonly #ask: () => void;
  #bytes = 0;
  #held = false;
  #closed = false;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(call: Readable) {
    const read = call._read.bind(call);
    this.#ask = () => read(1);
    call._read = () => {
      if (this.#isFull()) this.#held = true;
      else this.#ask();
    };
    call.on("data", (message: Buffer) => this.#receive(message));
  }

  /** The next message. Throws the error that the call was closed with, after the messages before it. */
  async next(): Promise<IteratorResult<Buffer, void>> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return { done: false, value: this.#taken(message) };
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#closed) return { done: true, value: undefined };
      this.#waiting ??= Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  /** Ends the stream of messages: in good order, or with an error. The first one counts. */
  close(failure?: { readonly error: unknown }): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = failure;
    this.#wake();
  }

  /** Ends it at once, without the messages that nobody took. */
  discard(failure?: { readonly error: unknown }): void {
    this.#messages.length = 0;
    this.#bytes = 0;
    this.close(failure);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #receive(message: Buffer): void {
    if (this.#closed) return;
    this.#messages.push(message);
    this.#bytes += message.length;
    this.#wake();
  }

  #taken(message: Buffer): Buffer {
    this.#bytes -= message.length;
    if (this.#held && !this.#isFull()) {
      this.#held = false;
      this.#ask();
    }
    return message;
  }

  #isFull(): boolean {
    return this.#bytes >= readAheadBytes || this.#messages.length >= readAheadMessages;
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
