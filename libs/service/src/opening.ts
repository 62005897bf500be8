import { hasReason, isStorageError, StorageError } from "@graviton/ports/storage-error";
import type { Dependency } from "./readiness.ts";

/** What a process has opened of a backend. */
export interface Opened<Stores> {
  readonly stores: Stores;
  /** Rejects while the backend does not answer; absent for one that always does. */
  check?(signal: AbortSignal): Promise<void>;
  /** Closes the stores and what they stand on. */
  readonly owned: AsyncDisposable;
}

/**
 * A backend that a process opens when it can: a process outlives the absence of its backend, also at the start, and says
 * meanwhile what is missing.
 */
export class Opening<Stores extends object> implements Dependency, AsyncDisposable {
  readonly name: string;
  readonly #open: () => Promise<Opened<Stores>>;
  #opened: Opened<Stores> | undefined;
  #attempt: Promise<void> | undefined;
  #failure: unknown;
  #closed = false;

  /** @param name of the backend, `Postgres` */
  constructor(name: string, open: () => Promise<Opened<Stores>>) {
    this.name = name;
    this.#open = open;
    this.check = this.check.bind(this);
  }

  /** Opens the backend unless it is open, and asks whether it answers. */
  async check(signal: AbortSignal): Promise<void> {
    this.#attempt ??= this.#try().finally(() => {
      this.#attempt = undefined;
    });
    if (this.#opened === undefined) await this.#attempt;
    if (this.#opened === undefined) throw this.#failure;
    await this.#opened.check?.(signal);
  }

  /**
   * A store that stands for the one to be opened: its calls are UNAVAILABLE until then, and say why.
   *
   * @param name of the store in what is opened
   */
  store<Name extends keyof Stores>(name: Name): Stores[Name] {
    const handler: ProxyHandler<object> = {
      get: (_, method) => {
        // The backend is disposed once, with all of its stores.
        if (method === Symbol.asyncDispose) return async () => {};
        return (...parameters: unknown[]) => {
          const store = this.#stores()[name] as Record<PropertyKey, (...parameters: unknown[]) => unknown>;
          return store[method]?.(...parameters);
        };
      },
    };
    return new Proxy({}, handler) as Stores[Name];
  }

  /** Does not wait for a backend that is still to answer: what is opened too late is closed at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#opened?.owned[Symbol.asyncDispose]();
  }

  #stores(): Stores {
    if (this.#opened !== undefined) return this.#opened.stores;
    const why = isStorageError(this.#failure) ? `: ${this.#failure.message}` : "";
    throw new StorageError("UNAVAILABLE", `${this.name} is not open yet${why}`, {
      resource: this.name,
      retryAfterMs: 1000,
      cause: this.#failure,
    });
  }

  async #try(): Promise<void> {
    if (this.#opened !== undefined || this.#closed) return;
    try {
      const opened = await this.#open();
      if (this.#closed) await opened.owned[Symbol.asyncDispose]();
      else this.#opened = opened;
    } catch (error) {
      this.#failure = hasReason(error, "CANCELLED") ? this.#failure : error;
    }
  }
}
