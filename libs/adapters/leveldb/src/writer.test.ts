import { StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { groupBytesMax } from "./limits.ts";
import { recordKey } from "./tables.ts";
import { type Change, del, put } from "./update.ts";
import { Writer, type WriteTarget } from "./writer.ts";

const key = recordKey("pairs", "key");
const other = recordKey("pairs", "other");

test("Updates that wait together become durable by one batch, and are answered after it.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  target.hold();
  const answered: number[] = [];
  const updates = Array.from({ length: 500 }, async (_, index) => {
    await writer.update({ changes: () => [put(recordKey("pairs", String(index)))] });
    answered.push(index);
  });
  await target.writing;
  expect(answered).toEqual([]);
  target.release();
  await Promise.all(updates);
  expect(target.batches.length).toBe(1);
  expect(answered).toEqual(Array.from({ length: 500 }, (_, index) => index));
});

test("An update reads what the updates before it in the same batch have left.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  const count = () =>
    writer.update({
      reads: () => [key],
      changes: (read) => [put(key, Buffer.of((read(key)?.[0] ?? 0) + 1))],
    });
  await Promise.all(Array.from({ length: 100 }, count));
  await writer.update({
    reads: () => [key, other],
    changes: (read) => (read(other) ? [] : [put(other, read(key) ?? key)]),
  });
  expect(target.batches.length).toBe(2);
  expect(target.content(other)).toEqual(Buffer.of(100));
});

test("An update that refuses fails alone.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  const refusal = new StorageError("CONFLICT", "no");
  const outcomes = await Promise.allSettled([
    writer.update({ changes: () => [put(key)] }),
    writer.update({
      changes: () => {
        throw refusal;
      },
    }),
    writer.update({ changes: () => [put(other)] }),
  ]);
  expect(outcomes).toMatchObject([{ status: "fulfilled" }, { reason: refusal }, { status: "fulfilled" }]);
  expect(target.batches.length).toBe(1);
});

test("A batch that fails fails all its updates, and the next one is tried.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  target.failNext();
  const outcomes = await Promise.allSettled([key, other].map((each) => writer.update({ changes: () => [put(each)] })));
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await writer.update({ changes: () => [put(key)] });
  expect(target.batches.length).toBe(1);
});

test("What an update that stands alone does is seen by what the next one decides to read.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  let begun = false;
  const seen: boolean[] = [];
  const look = () =>
    writer.update({
      reads: () => {
        seen.push(begun);
        return [];
      },
      changes: () => [],
    });
  const begin = writer.update({
    alone: true,
    changes: () => {
      begun = true;
      return [];
    },
  });
  await Promise.all([begin, look()]);
  expect(seen).toEqual([true]);
});

test("Updates beyond a batch's bytes go into the next batch, in order.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  const value = Buffer.alloc(groupBytesMax / 4);
  const updates = Array.from({ length: 12 }, (_, index) =>
    writer.update({ changes: () => [put(recordKey("pairs", String(index).padStart(2, "0")), value)] }),
  );
  await Promise.all(updates);
  expect(target.batches.length).toBeGreaterThan(1);
  const written = target.batches.flat().map((change) => change.key.toString("utf8", 1));
  expect(written).toEqual([...written].sort());
  expect(written.length).toBe(12);
});

test("The last of several changes to one record counts.", async () => {
  const target = new Target();
  const writer = new Writer(target);
  await Promise.all(
    [put(key), del(key), put(key, Buffer.of(3))].map((change) => writer.update({ changes: () => [change] })),
  );
  expect(target.content(key)).toEqual(Buffer.of(3));
});

/** Keeps records in a map, and the batches that made them. */
class Target implements WriteTarget {
  readonly batches: (readonly Change[])[] = [];
  readonly #records = new Map<string, Buffer>();
  readonly #writing = Promise.withResolvers<void>();
  #held: PromiseWithResolvers<void> | undefined;
  #failing = false;

  get writing(): Promise<void> {
    return this.#writing.promise;
  }

  hold(): void {
    this.#held = Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
  }

  failNext(): void {
    this.#failing = true;
  }

  content(record: Buffer): Buffer | undefined {
    return this.#records.get(record.toString("hex"))?.subarray(4);
  }

  async read(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return keys.map((record) => this.#records.get(record.toString("hex")));
  }

  async write(changes: readonly Change[]): Promise<void> {
    this.#writing.resolve();
    await this.#held?.promise;
    if (this.#failing) {
      this.#failing = false;
      throw new StorageError("UNAVAILABLE", "the batch fails");
    }
    this.batches.push(changes);
    for (const change of changes) {
      if (change.type === "put") this.#records.set(change.key.toString("hex"), change.value);
      else this.#records.delete(change.key.toString("hex"));
    }
  }
}
