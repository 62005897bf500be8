/** How far {@link inOrder} runs ahead of its reader. */
export interface Window<T> {
  /** Items at work at once. */
  readonly itemsMax: number;
  /** Bytes of the items at work; the last one may exceed it. */
  readonly bytesMax: number;
  readonly bytesOf: (item: T) => number;
}

/**
 * Begins the work on the items of a stream in their order, several at once, and gives the results in that order, each
 * as soon as those before it are there, whether or not the source has a next item. A source that fails does so after
 * the results of what came before.
 *
 * @param stop called when the reader leaves early or something fails, to cut the work short that is still waited for
 */
export async function* inOrder<T, R>(
  source: AsyncIterable<T>,
  window: Window<T>,
  work: (item: T) => Promise<R>,
  stop: () => void,
): AsyncGenerator<R, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  const running: { readonly bytes: number; readonly result: Promise<R> }[] = [];
  let bytes = 0;
  let pulling: Promise<Step<T>> | undefined;
  let end: Exclude<Step<T>, { kind: "item" }> | undefined;
  let complete = false;
  try {
    for (;;) {
      const room = running.length < window.itemsMax && bytes < window.bytesMax;
      if (end === undefined && room) pulling ??= pull(iterator);
      const [first] = running;
      if (first === undefined && pulling === undefined) break;
      const step = await firstOf(first?.result, pulling);
      if (step.kind === "result") {
        running.shift();
        bytes -= first?.bytes ?? 0;
        yield step.result;
        continue;
      }
      pulling = undefined;
      if (step.kind !== "item") {
        end = step;
        continue;
      }
      const begun = { bytes: window.bytesOf(step.item), result: work(step.item) };
      // Until its turn comes nobody waits for it.
      begun.result.catch(() => {});
      running.push(begun);
      bytes += begun.bytes;
    }
    if (end?.kind === "failure") throw end.error;
    complete = true;
  } finally {
    if (!complete) stop();
    // A source that is still thinking would keep the reader waiting.
    if (pulling === undefined && end === undefined) await iterator.return?.();
    else iterator.return?.().catch(() => {});
    await Promise.allSettled(running.map(({ result }) => result));
  }
}

type Step<T> =
  | { readonly kind: "item"; readonly item: T }
  | { readonly kind: "end" }
  | { readonly kind: "failure"; readonly error: unknown };

type Result<R> = { readonly kind: "result"; readonly result: R };

async function pull<T>(iterator: AsyncIterator<T>): Promise<Step<T>> {
  try {
    const step = await iterator.next();
    return step.done ? { kind: "end" } : { kind: "item", item: step.value };
  } catch (error) {
    return { kind: "failure", error };
  }
}

function firstOf<T, R>(
  result: Promise<R> | undefined,
  pulling: Promise<Step<T>> | undefined,
): Promise<Step<T> | Result<R>> {
  const waits: Promise<Step<T> | Result<R>>[] = [];
  if (result !== undefined) waits.push(result.then((value) => ({ kind: "result", result: value })));
  if (pulling !== undefined) waits.push(pulling);
  return Promise.race(waits);
}
