/**
 * Gathers items of a stream into batches of about `weightMax`: one more item begins the next batch, so that a batch
 * weighs more only if a single item does.
 */
export async function* batchesOf<T>(
  items: AsyncIterable<T>,
  weightMax: number,
  weigh: (item: T) => number,
): AsyncGenerator<T[], void, void> {
  let batch: T[] = [];
  let weight = 0;
  for await (const item of items) {
    const own = weigh(item);
    if (batch.length > 0 && weight + own > weightMax) {
      yield batch;
      batch = [];
      weight = 0;
    }
    batch.push(item);
    weight += own;
  }
  if (batch.length > 0) yield batch;
}
