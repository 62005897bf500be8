import type { CallOptions as ConnectCallOptions } from "@connectrpc/connect";
import { abortError, type CallOptions } from "@graviton/ports/call-options";
import { fromWire, isConnectError } from "./errors.ts";

/** How the remote adapters of one server make their calls: options in, StorageErrors out. */
export class RemoteCalls {
  readonly #address: string;

  /** @param address names the server in errors */
  constructor(address: string) {
    this.#address = address;
  }

  /** Makes a call with one answer. What the caller's own stream throws comes back as it is. */
  async answer<T>(
    options: CallOptions | undefined,
    call: (options: ConnectCallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await call({ ...timeoutOf(options), ...(options?.signal === undefined ? {} : { signal: options.signal }) });
    } catch (error) {
      throw this.#translated(error, options);
    }
  }

  /** Makes a call with a stream of answers. A reader that stops early cancels the call. */
  async *answers<T>(
    options: CallOptions | undefined,
    call: (options: ConnectCallOptions) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, void> {
    const stop = new AbortController();
    const abort = () => stop.abort();
    options?.signal?.addEventListener("abort", abort, { once: true });
    try {
      yield* call({ ...timeoutOf(options), signal: stop.signal });
    } catch (error) {
      throw this.#translated(error, options);
    } finally {
      options?.signal?.removeEventListener("abort", abort);
      stop.abort();
    }
  }

  #translated(error: unknown, options: CallOptions | undefined): unknown {
    if (!isConnectError(error)) return error;
    return options?.signal?.aborted ? abortError(options.signal) : fromWire(error, this.#address);
  }
}

function timeoutOf(options: CallOptions | undefined): ConnectCallOptions {
  return options?.deadline === undefined ? {} : { timeoutMs: Math.max(1, options.deadline - Date.now()) };
}
