/** A stream of just these items. */
export async function* streamOf<T>(...items: readonly T[]): AsyncGenerator<T, void, void> {
  yield* items;
}

/** A stream of the items of a list, however long. */
export async function* eachOf<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}

/** A stream of these items which then breaks off with the error. */
export async function* failingAfter<T>(error: unknown, ...items: readonly T[]): AsyncGenerator<T, void, void> {
  yield* items;
  throw error;
}

/** A stream that counts on its reader to be done with an item before it asks for the next: all share one buffer. */
export async function* reusingOneBuffer(...contents: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(Math.max(...contents.map((content) => content.length)));
  for (const content of contents) {
    buffer.set(content);
    yield buffer.subarray(0, content.length);
    buffer.fill(0xee);
  }
}

/** A stream that a clause holds back. Disposing it releases it, so that no store waits for a clause that failed. */
export interface HeldStream<T> extends Disposable {
  readonly stream: AsyncIterable<T>;
  /** Resolves once the reader has taken the first items and waits for more. */
  readonly waiting: Promise<void>;
  /** Lets the rest follow. Until it is called the stream stays silent. */
  release(): void;
}

/** A stream that gives `first`, then waits until it is released, then gives `rest`. */
export function held<T>(first: readonly T[], rest: readonly T[]): HeldStream<T> {
  const waiting = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  async function* stream(): AsyncGenerator<T, void, void> {
    yield* first;
    waiting.resolve();
    await released.promise;
    yield* rest;
  }
  const release = () => released.resolve();
  return { stream: stream(), waiting: waiting.promise, release, [Symbol.dispose]: release };
}

/** All items of a stream. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** All bytes of a stream, one after the other. */
export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await collect(stream)));
}

/** Reads one item and closes the stream, as a reader does who has seen enough. */
export async function readFirst<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of stream) return item;
  return undefined;
}

/** No clause lists more pages than this: a list that begins anew with every page would never end. */
const pagesMax = 100;

/**
 * What a reader gets who asks for page after page until one is empty, while others write.
 *
 * @param list a page that begins after this item; the first page where there is none
 * @param changes what others do: the first in the middle of the first page, the second in the middle of the second
 */
export async function readPages<T>(
  list: (last: T | undefined) => AsyncIterable<T>,
  changes: readonly (() => Promise<unknown>)[],
): Promise<T[]> {
  const seen: T[] = [];
  for (let page = 0; page < pagesMax; page += 1) {
    const before = seen.length;
    for await (const item of list(seen.at(-1))) {
      seen.push(item);
      if (seen.length === before + 1) await changes[page]?.();
    }
    if (seen.length === before) break;
  }
  return seen;
}

/** Runs the work for every item, at most `width` at once. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  const drain = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: width }, drain));
}
