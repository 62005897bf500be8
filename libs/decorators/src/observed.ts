import { abortError, type CallOptions } from "@graviton/ports/call-options";
import { isStorageError, type Reason } from "@graviton/ports/storage-error";

/** What is observed: `{ store: "s3", method: "putBlocks" }`. */
export interface Operation {
  /** Names the backend. */
  readonly store: string;
  readonly method: string;
}

/** How a call went. INTERNAL stands for what no store throws on purpose. */
export type Outcome = "ok" | Reason | "INTERNAL";

/** One call under observation. */
export interface Observation {
  /** Called once, when the call has ended; for a stream when it has been read to the end, failed, or was closed. */
  end(outcome: Outcome): void;
  /** Runs every step of the call, so that a context can hold meanwhile. */
  run?<T>(step: () => T): T;
}

/** Sees the calls of stores: metrics, traces. */
export interface Observer {
  /** Called when a call begins. */
  begin(operation: Operation): Observation;
}

/**
 * The same store, whose calls an observer sees. A stream that its reader closes early went well, unless the reader left
 * because its signal aborted. A stream that is neither read nor closed never ends.
 *
 * @param storeName what the observer is told
 */
export function observed<Store extends AsyncDisposable>(store: Store, storeName: string, observer: Observer): Store {
  const methods = new Map<string | symbol, Method>();
  // Takes a bound method, since the store's private fields are not the proxy's.
  const wrapped = (name: string | symbol, method: Method) =>
    typeof name === "symbol" ? method : observedMethod(method, { store: storeName, method: name }, observer);
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function" || name === "constructor") return value;
      const method = methods.get(name) ?? wrapped(name, value.bind(target) as Method);
      methods.set(name, method);
      return method;
    },
  });
}

type Method = (...args: unknown[]) => unknown;

function observedMethod(method: Method, operation: Operation, observer: Observer): Method {
  return (...args) => {
    const observation = observer.begin(operation);
    const run = <T>(step: () => T): T => (observation.run === undefined ? step() : observation.run(step));
    try {
      const result = run(() => method(...args));
      if (isStream(result)) return new ObservedStream(result, observation, run, signalOf(args));
      return observedPromise(result, observation);
    } catch (error) {
      observation.end(outcomeOf(error));
      throw error;
    }
  };
}

async function observedPromise(result: unknown, observation: Observation): Promise<unknown> {
  try {
    const answer = await result;
    observation.end("ok");
    return answer;
  } catch (error) {
    observation.end(outcomeOf(error));
    throw error;
  }
}

/** No generator, since that would not notice being closed before it was read. */
class ObservedStream<T> implements AsyncIterableIterator<T, void> {
  readonly #source: AsyncIterator<T>;
  readonly #observation: Observation;
  readonly #run: <R>(step: () => R) => R;
  readonly #signal: AbortSignal | undefined;
  #ended = false;

  constructor(
    source: AsyncIterable<T>,
    observation: Observation,
    run: <R>(step: () => R) => R,
    signal: AbortSignal | undefined,
  ) {
    this.#source = source[Symbol.asyncIterator]();
    this.#observation = observation;
    this.#run = run;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, void>> {
    try {
      const step = await this.#run(() => this.#source.next());
      if (step.done) this.#end("ok");
      return step;
    } catch (error) {
      this.#end(outcomeOf(error));
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    try {
      await this.#run(async () => this.#source.return?.());
      this.#end(this.#signal?.aborted ? abortError(this.#signal).reason : "ok");
      return { done: true, value: undefined };
    } catch (error) {
      this.#end(outcomeOf(error));
      throw error;
    }
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#observation.end(outcome);
  }
}

function outcomeOf(error: unknown): Outcome {
  return isStorageError(error) ? error.reason : "INTERNAL";
}

function isStream(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  const options = args.at(-1) as CallOptions | undefined;
  return typeof options === "object" && options !== null && "signal" in options ? options.signal : undefined;
}
