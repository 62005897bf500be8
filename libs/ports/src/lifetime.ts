import { abortError, type CallOptions, checkCall } from "./call-options.ts";
import { callSignal } from "./call-signal.ts";
import { StorageError } from "./storage-error.ts";

/**
 * The life of one store: lets calls in until it is disposed, then refuses them with UNAVAILABLE, waits for those
 * in flight, and ends the streams that nobody is pulling from, so that what they hold is freed.
 */
export class Lifetime implements AsyncDisposable {
  readonly #name: string;
  readonly #close: () => Promise<void>;
  readonly #running = new Set<Promise<unknown>>();
  readonly #parked = new Set<() => Promise<void>>();
  #closed: Promise<void> | undefined;

  /**
   * @param name what the errors call the store, `LevelKeyValueStore`
   * @param close frees what the store owns, called once after the last call has ended
   */
  constructor(name: string, close: () => Promise<void> = async () => {}) {
    this.#name = name;
    this.#close = close;
  }

  /** Runs one call. Refuses it after dispose, and when its signal is already aborted. */
  async run<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    this.#check(options);
    return this.#track(call());
  }

  /**
   * Hands on a stream. Refuses it after dispose, ends it with the signal's error once that aborts, and closes its
   * source whichever way it ends.
   */
  async *stream<T>(options: CallOptions | undefined, open: () => AsyncIterable<T>): AsyncGenerator<T, void, void> {
    this.#check(options);
    const source = abortable(open(), callSignal(options))[Symbol.asyncIterator]();
    const end = async () => void (await source.return?.());
    this.#parked.add(end);
    try {
      for (;;) {
        this.#check(options);
        const step = await this.#track(source.next());
        if (step.done) return;
        yield step.value;
      }
    } finally {
      this.#parked.delete(end);
      await this.#track(end());
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#dispose();
    return this.#closed;
  }

  async #dispose(): Promise<void> {
    // Lets #closed be set first, so that nothing new begins while this waits.
    await Promise.resolve();
    while (this.#running.size > 0) await Promise.all(this.#running);
    await Promise.allSettled([...this.#parked].map((end) => end()));
    await this.#close();
  }

  #check(options: CallOptions | undefined): void {
    if (this.#closed !== undefined) {
      throw new StorageError("UNAVAILABLE", `${this.#name} is closed`, { resource: this.#name });
    }
    checkCall(options);
  }

  async #track<T>(call: Promise<T>): Promise<T> {
    const settled = call.then(
      () => {},
      () => {},
    );
    this.#running.add(settled);
    try {
      return await call;
    } finally {
      this.#running.delete(settled);
    }
  }
}

/**
 * The same stream, ended with CANCELLED or DEADLINE_EXCEEDED as soon as the signal aborts, also while it waits for
 * a source that says nothing. The source is closed then; nobody waits for a source that does not answer.
 */
export function abortable<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  return signal === undefined ? source : abortableStream(source, signal);
}

async function* abortableStream<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  // A race against one promise for the whole stream would keep every item alive until the stream ends.
  let refuse: ((error: unknown) => void) | undefined;
  const abort = () => refuse?.(abortError(signal));
  signal.addEventListener("abort", abort);
  let waiting = false;
  try {
    for (;;) {
      if (signal.aborted) throw abortError(signal);
      waiting = true;
      const step = await new Promise<IteratorResult<T>>((resolve, reject) => {
        refuse = reject;
        iterator.next().then(resolve, reject);
      });
      waiting = false;
      if (step.done) return;
      yield step.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    const closed = iterator.return?.();
    if (waiting) closed?.catch(() => {});
    else await closed;
  }
}

/** The promise's outcome, or CANCELLED or DEADLINE_EXCEEDED if the signal aborts first; what it stands for goes on then. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
