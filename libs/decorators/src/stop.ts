/**
 * A signal that aborts when the caller's does, and when its owner has no more use for what it began. Disposing it lets
 * go of the caller's signal, which may outlive many calls.
 */
export class Stop implements Disposable {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #follow = () => this.#controller.abort(this.#caller?.reason);

  constructor(caller: AbortSignal | undefined) {
    this.#caller = caller;
    caller?.addEventListener("abort", this.#follow);
    if (caller?.aborted) this.#follow();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller.abort();
  }

  [Symbol.dispose](): void {
    this.#caller?.removeEventListener("abort", this.#follow);
  }
}
