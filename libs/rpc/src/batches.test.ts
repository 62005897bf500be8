import { expect, test } from "@jest/globals";
import { batchesOf } from "./batches.ts";

async function* from(...items: number[]) {
  yield* items;
}

test("Batches are filled up to their weight, in order, and hold at least one item", async () => {
  const batches = await Array.fromAsync(batchesOf(from(1, 2, 3, 4, 99, 5, 5), 10, (item) => item));
  expect(batches).toEqual([[1, 2, 3, 4], [99], [5, 5]]);
});

test("No items make no batch", async () => {
  expect(await Array.fromAsync(batchesOf(from(), 10, () => 1))).toEqual([]);
});
