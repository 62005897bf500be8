import type { Writable } from "node:stream";

/** Bytes that a call holds for a slow reader before its writer has to wait. */
export const writeAheadBytes = 2 * 1024 * 1024;

/** Messages, likewise. */
const writeAheadMessages = 16;

/** Writes messages to a call of grpc-js, no faster than they leave. For one writer. */
export class Outbox {
  readonly #call: Writable;
  #messages = 0;
  #bytes = 0;
  #closed = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(call: Writable) {
    this.#call = call;
  }

  /** Writes one message and resolves when there is room for another. False once the call has ended. */
  async write(message: Buffer): Promise<boolean> {
    if (this.#closed) return false;
    this.#messages += 1;
    this.#bytes += message.length;
    this.#call.write(message, () => this.#left(message));
    while (!this.#closed && (this.#bytes >= writeAheadBytes || this.#messages >= writeAheadMessages)) {
      this.#waiting ??= Promise.withResolvers();
      await this.#waiting.promise;
    }
    return !this.#closed;
  }

  /** Says that the call has ended: nobody waits for room any more. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #left(message: Buffer): void {
    this.#messages -= 1;
    this.#bytes -= message.length;
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
