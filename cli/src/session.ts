import type { CallOptions } from "@graviton/ports/call-options";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { exitOfSignal, exitOk, exitReaderGone } from "./exit-codes.ts";
import { concernsOneItem, type Failure, failureOf } from "./failure.ts";
import { Output, ReaderGone } from "./output.ts";
import { Progress } from "./progress.ts";
import type { RemoteStores } from "./remote-stores.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly endpoint: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Seconds. */
  readonly timeout?: number;
}

/** Status of gRPC for a server that did not answer, `UNAVAILABLE`. */
const grpcUnavailable = 14;

/** One run of the command: where it prints, whom it calls, and what its exit code will be. */
export class Session implements AsyncDisposable {
  readonly output = new Output(process.stdout);
  readonly #interruption = new AbortController();
  #globals: GlobalOptions = { endpoint: "" };
  #deadline: number | undefined;
  #stores: RemoteStores | undefined;
  #exitCode: number = exitOk;
  #signalExitCode: number | undefined;

  /** The options of the command line, once they are known. */
  configure(globals: GlobalOptions): void {
    this.#globals = globals;
    this.output.json = globals.json === true;
    if (globals.timeout !== undefined) this.#deadline = Date.now() + globals.timeout * 1000;
  }

  /** What every call to the service takes. From the first use on, Ctrl-C cancels the calls instead of the process. */
  get call(): CallOptions {
    this.#catchSignals();
    return { signal: this.#interruption.signal, deadline: this.#deadline };
  }

  get exitCode(): number {
    return this.#signalExitCode ?? this.#exitCode;
  }

  /** Whether standard error tells of transfers and totals. */
  get talkative(): boolean {
    return this.#globals.quiet !== true;
  }

  /** The service at the endpoint of the command line, or at another one. Its client is loaded by the first use. */
  async stores(endpoint = this.#globals.endpoint): Promise<RemoteStores> {
    this.#catchSignals();
    const { openRemoteStores } = await import("./remote-stores.ts");
    this.#globals = { ...this.#globals, endpoint };
    this.#stores ??= openRemoteStores(endpoint);
    return this.#stores;
  }

  /** A progress line on standard error, where that is a terminal and the output does not go there too. */
  progress(totalBytes: number | undefined, printsBytes = false): Progress {
    const silent = !this.talkative || this.output.json || (printsBytes && process.stdout.isTTY);
    return new Progress(silent ? { write() {} } : process.stderr, totalBytes);
  }

  /** Tells a person something on standard error. */
  note(text: string): void {
    if (this.talkative) process.stderr.write(`${text}\n`);
  }

  /** Does the work for each item in turn; a failure that concerns one item alone is reported, and the rest go on. */
  async forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    for (const item of items) {
      try {
        await work(item);
      } catch (error) {
        if (!concernsOneItem(error)) throw error;
        this.fail(error);
      }
    }
  }

  /** Reports a failure on standard error. The first one decides the exit code. */
  fail(error: unknown): void {
    if (Error.isError(error) && error.name === ReaderGone.name) {
      if (this.#exitCode === exitOk) this.#exitCode = exitReaderGone;
      return;
    }
    const { exitCode, reason, message, resource } = this.#explained(error);
    if (this.#exitCode === exitOk) this.#exitCode = exitCode;
    const record = { error: { reason, message, resource } };
    process.stderr.write(`${this.output.json ? JSON.stringify(record) : `graviton: ${message}`}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stores?.[Symbol.asyncDispose]();
  }

  /** A server that is not there is the first failure that most people meet. */
  #explained(error: unknown): Failure {
    const failure = failureOf(error);
    if (!hasReason(error, "UNAVAILABLE") || error.resource !== this.#stores?.address) return failure;
    if ((error.cause as { code?: unknown } | undefined)?.code !== grpcUnavailable) return failure;
    return { ...failure, message: `cannot reach ${this.#globals.endpoint}: start one with: graviton serve` };
  }

  #catchSignals(): void {
    if (process.listenerCount("SIGINT") > 0) return;
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, () => {
        this.#signalExitCode = exitOfSignal[name];
        this.#interruption.abort(new StorageError("CANCELLED", "interrupted"));
        process.once(name, () => process.exit(exitOfSignal[name]));
      });
    }
  }
}
