import type { Writable } from "node:stream";
import type { Outgoing } from "./codec.ts";
import { FrameMessage } from "./frame-message.ts";

/** Bytes that a call holds for a slow reader before its writer has to wait. */
export const writeAheadBytes = 2 * 1024 * 1024;

/** Messages, likewise. */
const writeAheadMessages = 16;

/** Writes messages to a call of grpc-js, no faster than they leave. For one writer. */
export class Outbox {
  readonly #call: Writable;
  readonly #onLeft: () => void;
  #messages = 0;
  #bytes = 0;
  #closed = false;
  #gone = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** @param onLeft called whenever a message has left */
  constructor(call: Writable, onLeft: () => void = () => {}) {
    this.#call = call;
    this.#onLeft = onLeft;
  }

  /**
   * Writes one message and resolves when there is room for another and nobody needs its memory any more. False once the
   * call has ended.
   */
  async write(message: Outgoing): Promise<boolean> {
    if (this.#closed) return false;
    this.#messages += 1;
    this.#bytes += message.length;
    this.#call.write(message, () => this.#left(message));
    while (!this.#closed && (isFull(this.#bytes, this.#messages) || isNeeded(message))) {
      this.#waiting ??= Promise.withResolvers();
      if (isNeeded(message)) message.onTaken = () => this.#wake();
      await this.#waiting.promise;
    }
    return !this.#closed;
  }

  /** Says that the call has ended: nobody waits for room any more. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Says that the connection has gone, and with it what had not left yet. */
  drop(): void {
    this.#gone = true;
    this.close();
  }

  /** Resolves once everything that was written has left, or has gone. */
  async empty(): Promise<void> {
    while (this.#messages > 0 && !this.#gone) {
      this.#waiting ??= Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  #left(message: Outgoing): void {
    this.#messages -= 1;
    this.#bytes -= message.length;
    this.#onLeft();
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

function isFull(bytes: number, messages: number): boolean {
  return bytes >= writeAheadBytes || messages >= writeAheadMessages;
}

function isNeeded(message: Outgoing): message is FrameMessage {
  return message instanceof FrameMessage && !message.taken;
}
