import type { Writable } from "node:stream";

/** Thrown when who read the output went away: nothing failed, and nothing more need be said. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}

/** Standard output: lines for people, one JSON object a line for machines, or bytes. Nothing else ever goes there. */
export class Output {
  readonly #stream: Writable;
  /** Whether `--json` was given. */
  json = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Each write learns of its own failure; without a listener the first one would end the process.
    stream.on("error", () => {});
  }

  /** Prints one answer: `record` as JSON with `--json`, else `text`, of one line or several. */
  print(text: string, record: object): Promise<void> {
    return this.bytes(Buffer.from(`${this.json ? JSON.stringify(record) : text}\n`));
  }

  /** Prints the record with `--json`, and nothing without. */
  async printJson(record: object): Promise<void> {
    if (this.json) await this.print("", record);
  }

  /** Resolves when the stream has taken the bytes, which then may be reused. */
  bytes(bytes: Uint8Array): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#stream.write(bytes, (error) => {
      if (!error) done.resolve();
      else done.reject(isReaderGone(error) ? new ReaderGone("the reader went away", { cause: error }) : error);
    });
    return done.promise;
  }
}

function isReaderGone(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_DESTROYED";
}
