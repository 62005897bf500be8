import { StorageError } from "@graviton/ports/storage-error";

/**
 * The input of a call that can be read again from its beginning: each iterator gives all of it. It says so itself,
 * since nobody can tell from outside: a stream of Node gives new iterators too, of what is left of it.
 */
export interface ReplayableSource<T> extends AsyncIterable<T> {
  readonly replayable: true;
}

/** The input of a call that is made once or more often: what each pass reads, and whether there can be another. */
export class UploadSource<T> {
  readonly #source: AsyncIterable<T>;
  #iterator: AsyncIterator<T> | undefined;
  #pass = 0;
  #touched = false;
  #pulling = false;

  constructor(source: AsyncIterable<T>) {
    this.#source = source;
  }

  /** Whether another pass would see everything. */
  get repeatable(): boolean {
    return isReplayable(this.#source) || !this.#touched;
  }

  /** The input for the next pass. One that has failed gets no more of it. */
  pass(): AsyncIterable<T> {
    if (isReplayable(this.#source)) return this.#source;
    this.#pass += 1;
    const pass = this.#pass;
    // What closes the input of a pass must not close the source, which the next pass may still need.
    const closing = async () => ({ done: true as const, value: undefined });
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next(pass), return: closing }) };
  }

  /** Closes the source, once no pass reads it any more. Does not wait for one that is still thinking. */
  async close(): Promise<void> {
    this.#pass += 1;
    if (isReplayable(this.#source)) return;
    const closed = this.#opened().return?.();
    if (this.#pulling) closed?.catch(() => {});
    else await closed;
  }

  async #next(pass: number): Promise<IteratorResult<T>> {
    if (pass !== this.#pass) throw new StorageError("CANCELLED", "the call that read this input is over");
    this.#touched = true;
    this.#pulling = true;
    try {
      return await this.#opened().next();
    } finally {
      this.#pulling = false;
    }
  }

  #opened(): AsyncIterator<T> {
    this.#iterator ??= this.#source[Symbol.asyncIterator]();
    return this.#iterator;
  }
}

function isReplayable<T>(source: AsyncIterable<T>): source is ReplayableSource<T> {
  return (source as Partial<ReplayableSource<T>>).replayable === true;
}
