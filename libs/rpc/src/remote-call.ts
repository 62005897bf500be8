import { Code, type CallOptions as ConnectCallOptions, type ConnectError } from "@connectrpc/connect";
import { abortError, type CallOptions } from "@graviton/ports/call-options";
import { StorageError } from "@graviton/ports/storage-error";
import { fromWire, isConnectError } from "./errors.ts";

/** How the remote adapters of one server make their calls: options in, StorageErrors out. */
export class RemoteCalls {
  readonly #address: string;

  /** @param address names the server in errors */
  constructor(address: string) {
    this.#address = address;
  }

  /** Makes a call with one answer. What the caller's own stream throws comes back as it is. */
  async answer<T>(options: CallOptions | undefined, call: (options: ConnectCallOptions) => Promise<T>): Promise<T> {
    try {
      return await call({
        ...timeoutOf(options),
        ...(options?.signal === undefined ? {} : { signal: options.signal }),
      });
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
    if (options?.signal?.aborted) abort();
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
    if (options?.signal?.aborted) return abortError(options.signal);
    if (error.code === Code.Canceled && error.details.length === 0) return brokenOff(error, this.#address);
    return fromWire(error, this.#address);
  }
}

/** Nobody here cancelled the call: a server that is stopped ends its calls that way. */
function brokenOff(cause: ConnectError, address: string): StorageError {
  const message = `${address} broke the call off: try again, and check that the service still runs there`;
  return new StorageError("UNAVAILABLE", message, { resource: address, cause });
}

function timeoutOf(options: CallOptions | undefined): ConnectCallOptions {
  return options?.deadline === undefined ? {} : { timeoutMs: Math.max(1, options.deadline - Date.now()) };
}
