import { describe, expect, test } from "@jest/globals";
import { mapInOrder } from "./map-in-order.ts";

describe("mapInOrder", () => {
  test("gives results in the order of the items, however long each takes", async () => {
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const results = Array.fromAsync(
      mapInOrder([0, 1, 2], { concurrency: 3 }, async (item) => {
        await gates[item]?.promise;
        return item;
      }),
    );
    for (const gate of gates.toReversed()) gate.resolve();
    expect(await results).toEqual([0, 1, 2]);
  });

  test.each([
    ["concurrency", { concurrency: 3 }, 3],
    ["weight", { concurrency: 10, weightMax: 4, weigh: () => 2 }, 2],
  ])("never has more at work than the window's %s allows", async (_, window, allowed) => {
    let atWork = 0;
    let most = 0;
    const work = async (item: number) => {
      most = Math.max(most, ++atWork);
      await new Promise(setImmediate);
      atWork -= 1;
      return item;
    };
    await Array.fromAsync(mapInOrder(Array(20).keys(), window, work));
    expect(most).toBe(allowed);
  });

  test("gives a result at once when the source has no next item yet", async () => {
    const silence = Promise.withResolvers<void>();
    const source = async function* () {
      yield 1;
      await silence.promise;
    };
    const results = mapInOrder(source(), { concurrency: 4 }, async (item) => item);
    expect(await results.next()).toEqual({ done: false, value: 1 });
    silence.resolve();
    expect(await results.next()).toEqual({ done: true, value: undefined });
  });

  test("gives what came before a failing source, then the source's error", async () => {
    const source = async function* () {
      yield 1;
      yield 2;
      throw new Error("source failed");
    };
    const results = mapInOrder(source(), { concurrency: 4 }, async (item) => item);
    expect((await results.next()).value).toBe(1);
    expect((await results.next()).value).toBe(2);
    await expect(results.next()).rejects.toThrow("source failed");
  });

  test("closes the source and waits for the work at hand when the reader stops early", async () => {
    let closed = false;
    let finished = 0;
    const source = async function* () {
      try {
        for (let item = 0; ; item += 1) yield item;
      } finally {
        closed = true;
      }
    };
    const results = mapInOrder(source(), { concurrency: 4 }, async (item) => {
      await new Promise(setImmediate);
      finished += 1;
      return item;
    });
    await results.next();
    await results.return();
    const finishedAtReturn = finished;
    await new Promise(setImmediate);
    expect(closed).toBe(true);
    expect(finished).toBe(finishedAtReturn);
  });

  test.each([
    ["the reader stops early", 2],
    ["an item fails", 0],
  ])("cuts the work at hand short when %s", async (_, failing) => {
    const stopped = new AbortController();
    const work = async (item: number) => {
      if (item === failing) throw new Error("the work failed");
      if (item > 0) await new Promise((resolve) => stopped.signal.addEventListener("abort", resolve));
      return item;
    };
    const results = mapInOrder([0, 1], { concurrency: 2 }, work, () => stopped.abort());
    await results.next().catch(() => {});
    await results.return();
    expect(stopped.signal.aborted).toBe(true);
  });

  test("cuts nothing short when all is done", async () => {
    const stopped = new AbortController();
    const work = async (item: number) => item;
    await Array.fromAsync(mapInOrder([0, 1], { concurrency: 2 }, work, () => stopped.abort()));
    expect(stopped.signal.aborted).toBe(false);
  });
});
