import { abortError, type CallOptions, checkCall } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { StorageError } from "@graviton/ports/storage-error";

/** How many bulk calls a process takes at once. */
export interface PlacesOptions {
  /** Calls that run at once. Each holds a bounded window of bytes, so this bounds the process's memory. */
  readonly callsMax: number;
  /** How long a further call waits for a place before it is refused, in milliseconds. */
  readonly waitMs: number;
  /** Calls that may wait; twice as many as run at once when absent. An upload holds its first bytes meanwhile. */
  readonly waitingMax?: number | undefined;
}

/**
 * The places for calls that move bytes. A call over the limit waits its turn for a while, and is then refused with
 * EXHAUSTED; at once, where too many wait already: memory stays bounded however many clients come and however slow they
 * are.
 */
export class Places {
  readonly #options: PlacesOptions;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /** Calls that have a place. */
  get taken(): number {
    return this.#taken;
  }

  /** Calls that wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs the call once there is a place for it. */
  async run<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    const wait = this.#enter(options);
    // A call that need not wait begins at once: its store has to know of it before somebody disposes it.
    if (wait !== undefined) await wait;
    try {
      return await call();
    } finally {
      this.#leave();
    }
  }

  /** Hands on the stream once there is a place for it, and keeps the place until it has ended and its reader has it all. */
  async *stream<T>(options: CallOptions | undefined, open: () => AsyncIterable<T>): AsyncGenerator<T, void, void> {
    const wait = this.#enter(options);
    if (wait !== undefined) await wait;
    try {
      yield* open();
    } finally {
      await options?.released?.();
      this.#leave();
    }
  }

  /** Takes a place, or gives the promise of one. */
  #enter(options: CallOptions | undefined): Promise<void> | undefined {
    checkCall(options);
    if (this.#taken >= this.#options.callsMax) return this.#wait(callSignal(options));
    this.#taken += 1;
    return undefined;
  }

  /** Resolves when somebody who leaves hands the place over. */
  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { callsMax, waitMs, waitingMax = 2 * callsMax } = this.#options;
    if (this.#waiting.size >= waitingMax) return Promise.reject(this.#full());
    const place = Promise.withResolvers<void>();
    const settle = (settlement: () => void) => {
      this.#waiting.delete(take);
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settlement();
    };
    const take = () => settle(place.resolve);
    const abort = () => settle(() => signal && place.reject(abortError(signal)));
    const refuse = () => settle(() => place.reject(this.#full()));
    const timer = setTimeout(refuse, waitMs);
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(take);
    // A timer may be a little ahead of the clock that let the call in.
    if (signal?.aborted) abort();
    return place.promise;
  }

  #full(): StorageError {
    const { callsMax, waitMs } = this.#options;
    const message = `${callsMax} calls that move bytes are in flight already: try again`;
    return new StorageError("EXHAUSTED", message, { retryAfterMs: Math.max(1000, waitMs) });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}
