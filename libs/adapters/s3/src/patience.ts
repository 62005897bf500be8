/**
 * Aborts as the given signal does, but some time later, so that what is on its way may arrive. To be disposed of, or the
 * given signal keeps it.
 */
export class Patience implements Disposable {
  readonly #given: AbortSignal | undefined;
  readonly #ms: number;
  readonly #gone = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** @param ms how long it lasts, in milliseconds */
  constructor(given: AbortSignal | undefined, ms: number) {
    this.#given = given;
    this.#ms = ms;
    if (given?.aborted) this.lose();
    else given?.addEventListener("abort", this.lose);
  }

  /** For the requests that may take that bit longer. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** From now on it lasts no longer than its time. */
  readonly lose = (): void => {
    this.#timer ??= setTimeout(() => this.#gone.abort(this.#given?.reason), this.#ms).unref();
  };

  [Symbol.dispose](): void {
    this.#given?.removeEventListener("abort", this.lose);
    clearTimeout(this.#timer);
  }
}
