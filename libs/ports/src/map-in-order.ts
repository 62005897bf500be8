/** How far {@link mapInOrder} runs ahead of its reader. */
export interface Window<T> {
  /** Items at work at once. */
  readonly concurrency: number;
  /** What the items at work weigh together at most; the last one may exceed it. No bound when absent. */
  readonly weightMax?: number;
  readonly weigh?: (item: T) => number;
}

interface Running<R> {
  readonly weight: number;
  readonly result: Promise<R>;
}

/**
 * Works on several items at once and gives the results in the order of the items, each as soon as those before it are
 * there: it never holds a result back to wait for the source. When the source fails, what came before is given out
 * first. Ended early, it closes the source and waits for the work that has begun.
 *
 * @param stop called when the reader leaves early or something fails, to cut short the work that is still waited for
 */
export async function* mapInOrder<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  window: Window<T>,
  work: (item: T) => Promise<R>,
  stop?: () => void,
): AsyncGenerator<R, void, void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : each(source);
  const running: Running<R>[] = [];
  let weight = 0;
  let pulling: Promise<IteratorResult<T>> | undefined;
  let exhausted = false;
  let failure: { readonly error: unknown } | undefined;
  let complete = false;

  const start = (item: T) => {
    const own = window.weigh?.(item) ?? 0;
    const result = work(item);
    // Whoever waits for it sees the rejection; until its turn comes nobody does.
    result.catch(() => {});
    running.push({ weight: own, result });
    weight += own;
  };

  try {
    while (!exhausted || running.length > 0) {
      const room = running.length < window.concurrency && weight < (window.weightMax ?? Number.POSITIVE_INFINITY);
      if (!exhausted && (room || running.length === 0)) pulling ??= iterator.next();
      const event = await next(pulling, running[0]?.result);
      if (event.kind === "result") {
        weight -= running.shift()?.weight ?? 0;
        yield event.result;
        continue;
      }
      pulling = undefined;
      if (event.kind === "item") start(event.item);
      else exhausted = true;
      if (event.kind === "failure") failure = event;
    }
    if (failure !== undefined) throw failure.error;
    complete = true;
  } finally {
    if (!complete) stop?.();
    const closed = exhausted ? undefined : iterator.return?.();
    // A source that is still thinking would keep its caller waiting for ever.
    if (pulling === undefined) await closed;
    else closed?.catch(() => {});
    await Promise.allSettled(running.map(({ result }) => result));
  }
}

type Event<T, R> =
  | { readonly kind: "item"; readonly item: T }
  | { readonly kind: "end" }
  | { readonly kind: "failure"; readonly error: unknown }
  | { readonly kind: "result"; readonly result: R };

async function next<T, R>(
  pulling: Promise<IteratorResult<T>> | undefined,
  first: Promise<R> | undefined,
): Promise<Event<T, R>> {
  const waits: Promise<Event<T, R>>[] = [];
  if (first !== undefined) waits.push(first.then((result) => ({ kind: "result", result })));
  if (pulling !== undefined) {
    waits.push(
      pulling.then(
        (step) => (step.done ? { kind: "end" } : { kind: "item", item: step.value }),
        (error: unknown) => ({ kind: "failure", error }),
      ),
    );
  }
  return Promise.race(waits);
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}
