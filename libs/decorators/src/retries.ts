import { setTimeout } from "node:timers/promises";
import { abortError, type CallOptions, checkCall } from "@graviton/ports/call-options";
import { hasReason, isStorageError } from "@graviton/ports/storage-error";

/** How often and how patiently calls are tried again. */
export interface RetriesOptions {
  /** Tries of one call, the first included; 4 when absent. A stream that gave something begins to count anew. */
  readonly attemptsMax?: number | undefined;
  /** A number from 0 up to 1, for the jitter; `Math.random` when absent. */
  readonly random?: (() => number) | undefined;
  /** Waits that long, or until the signal aborts. A timer when absent. */
  readonly pause?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

/** A stream that can be opened again. */
export interface Resumable<T> {
  /** Opens the stream, or what is left of it. */
  open(): AsyncIterable<T>;
  /** Notes an item that the reader got, so that `open` gives the rest. Without it a stream that gave something is not opened again. */
  given?(item: T): void;
}

/** The first pause, in milliseconds; each further one is twice as long. */
const firstPauseMs = 50;

/** The longest pause, whatever the server asks for, in milliseconds: a caller's patience is not the server's to spend. */
const pauseMsMax = 5000;

/**
 * Tries a call again that failed for a reason that passes: UNAVAILABLE, and EXHAUSTED that says when to come back. It
 * waits in between, longer each time and never the same, so that those who failed together do not return together.
 * It gives up with the last error when the tries are spent or the deadline leaves no time for another one, and never
 * tries again for a caller who has gone.
 */
export class Retries {
  readonly #attemptsMax: number;
  readonly #random: () => number;
  readonly #pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>;

  constructor({ attemptsMax = 4, random = Math.random, pause = pauseFor }: RetriesOptions = {}) {
    this.#attemptsMax = attemptsMax;
    this.#random = random;
    this.#pause = pause;
  }

  /**
   * Makes a call that may happen twice: an answer can be lost after the work was done.
   *
   * @param repeatable asked after a failure, whether the call can be made again
   */
  async run<T>(options: CallOptions | undefined, call: () => Promise<T>, repeatable = () => true): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await call();
      } catch (error) {
        if (!repeatable()) throw error;
        await this.#pauseAfter(error, failures, options);
      }
    }
  }

  /** Hands on a stream, and opens it again where it broke off. */
  async *stream<T>(options: CallOptions | undefined, source: Resumable<T>): AsyncGenerator<T, void, void> {
    let begun = false;
    for (let failures = 1; ; failures += 1) {
      try {
        for await (const item of source.open()) {
          begun = true;
          failures = 1;
          source.given?.(item);
          yield item;
        }
        return;
      } catch (error) {
        if (begun && source.given === undefined) throw error;
        await this.#pauseAfter(error, failures, options);
      }
    }
  }

  /** Waits before the next try. Throws where there is to be none. */
  async #pauseAfter(error: unknown, failures: number, options: CallOptions | undefined): Promise<void> {
    if (failures >= this.#attemptsMax || !passes(error)) throw error;
    checkCall(options);
    const ms = this.#pauseMs(error, failures);
    if (options?.deadline !== undefined && Date.now() + ms >= options.deadline) throw error;
    await this.#pause(ms, options?.signal);
    checkCall(options);
  }

  /** Between a half and the whole of the pause that doubles, on top of what the server asks for. */
  #pauseMs(error: unknown, failures: number): number {
    const askedMs = isStorageError(error) ? (error.retryAfterMs ?? 0) : 0;
    const ownMs = firstPauseMs * 2 ** (failures - 1) * (0.5 + this.#random() / 2);
    return Math.min(pauseMsMax, askedMs) + Math.min(pauseMsMax, ownMs);
  }
}

function passes(error: unknown): boolean {
  return hasReason(error, "UNAVAILABLE") || (hasReason(error, "EXHAUSTED") && error.retryAfterMs !== undefined);
}

async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
}
