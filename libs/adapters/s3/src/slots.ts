import { abortError } from "@graviton/ports/call-options";

/** Lets at most so many go on at once; the others wait in line, and leave it when their signal aborts. */
export class Slots {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Resolves to what gives the slot back, which may be called twice.
   *
   * @throws StorageError CANCELLED or DEADLINE_EXCEEDED
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    if (signal?.aborted) throw abortError(signal);
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    let held = true;
    return () => {
      if (held) this.#give();
      held = false;
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const leave = () => {
      this.#waiting.delete(take);
      signal?.removeEventListener("abort", abort);
    };
    const take = () => {
      leave();
      turn.resolve();
    };
    const abort = () => {
      leave();
      if (signal) turn.reject(abortError(signal));
    };
    signal?.addEventListener("abort", abort);
    this.#waiting.add(take);
    return turn.promise;
  }

  #give(): void {
    // The slot goes from hand to hand, so that nobody who comes later gets ahead.
    const [next] = this.#waiting;
    if (next === undefined) this.#free += 1;
    else next();
  }
}
