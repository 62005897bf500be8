import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { rank } from "./rendezvous.ts";

const keys = Array.from({ length: 6000 }, (_, index) => createHash("sha256").update(`key ${index}`).digest("hex"));
const five = nodes(5);

describe("rank", () => {
  test("gives every node once, in an order that the list's does not change", () => {
    for (const key of keys.slice(0, 100)) {
      const order = names(key, five);
      expect(order.toSorted()).toEqual(five.map(({ name }) => name));
      expect(names(key, five.toReversed())).toEqual(order);
    }
  });

  test("spreads keys evenly", () => {
    const share = keys.length / five.length;
    const counts = five.map(({ name }) => keys.filter((key) => first(key, five) === name).length);
    const chiSquare = counts.reduce((sum, count) => sum + (count - share) ** 2 / share, 0);
    // With 4 degrees of freedom a fair spread exceeds this once in ten thousand times.
    expect(chiSquare).toBeLessThan(23.5);
  });

  test("moves to a node that comes just its share of the keys, and no key elsewhere", () => {
    const six = nodes(6);
    const moved = keys.filter((key) => first(key, six) !== first(key, five));
    expect(new Set(moved.map((key) => first(key, six)))).toEqual(new Set(["10.0.0.5:7481"]));
    expect(moved.length / keys.length).toBeCloseTo(1 / 6, 1);
  });

  test("moves from a node that goes just its keys, each to the next in its order", () => {
    const [gone, ...rest] = five;
    for (const key of keys) {
      const order = names(key, five);
      expect(first(key, rest)).toBe(order.find((name) => name !== gone?.name));
    }
  });
});

function nodes(count: number): { name: string }[] {
  return Array.from({ length: count }, (_, index) => ({ name: `10.0.0.${index}:7481` }));
}

function names(key: string, among: readonly { name: string }[]): string[] {
  return rank(key, among).map(({ name }) => name);
}

function first(key: string, among: readonly { name: string }[]): string | undefined {
  return names(key, among)[0];
}
