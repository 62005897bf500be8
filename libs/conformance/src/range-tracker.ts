import assert from "node:assert/strict";
import type { ByteSpan } from "@graviton/ports/byte-range";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { freshName } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectReason } from "./expect-reason.ts";

const clause = clauseOf<RangeTracker>;

/** What every {@link RangeTracker} promises. */
export const rangeTrackerContract: Contract<RangeTracker> = {
  port: "RangeTracker",
  clauses: [
    clause("A locator that nobody merged into has no spans.", async (tracker) => {
      assert.deepEqual(await tracker.current(freshLocator()), []);
    }),

    clause("A merge gives the set that results, and from then on it is the current one.", async (tracker) => {
      const locator = freshLocator();
      assert.deepEqual(await tracker.merge(locator, span(10, 20)), [span(10, 20)]);
      assert.deepEqual(await tracker.merge(locator, span(30, 40)), [span(10, 20), span(30, 40)]);
      assert.deepEqual(await tracker.current(locator), [span(10, 20), span(30, 40)]);
    }),

    clause(
      "Overlapping and adjacent spans become one; spans that leave a byte between them stay apart.",
      async (tracker) => {
        await expectMerged(tracker, [span(0, 10), span(5, 15)], [span(0, 15)]);
        await expectMerged(tracker, [span(5, 15), span(0, 10)], [span(0, 15)]);
        await expectMerged(tracker, [span(0, 10), span(10, 20)], [span(0, 20)]);
        await expectMerged(tracker, [span(10, 20), span(0, 10)], [span(0, 20)]);
        await expectMerged(tracker, [span(0, 10), span(11, 20)], [span(0, 10), span(11, 20)]);
        await expectMerged(tracker, [span(11, 20), span(0, 10)], [span(0, 10), span(11, 20)]);
      },
    ),

    clause("A span within another adds nothing, and the same span again neither.", async (tracker) => {
      await expectMerged(
        tracker,
        [span(0, 100), span(20, 30), span(0, 100), span(0, 1), span(99, 100)],
        [span(0, 100)],
      );
    }),

    clause("A span that bridges many makes them one.", async (tracker) => {
      const many = [span(0, 1), span(10, 11), span(20, 21), span(30, 31), span(50, 51)];
      await expectMerged(tracker, [...many, span(10, 30)], [span(0, 1), span(10, 31), span(50, 51)]);
    }),

    clause("Spans reach to the largest size that content may have.", async (tracker) => {
      const most = Number.MAX_SAFE_INTEGER;
      await expectMerged(
        tracker,
        [span(most - 10, most), span(2 ** 40, 2 ** 41)],
        [span(2 ** 40, 2 ** 41), span(most - 10, most)],
      );
    }),

    clause("Locators are apart, whatever technology they point into.", async (tracker) => {
      const locator = freshLocator();
      const others: Locator[] = [
        { ...locator, scheme: "fs" },
        { ...locator, bucket: "other" },
        { ...locator, path: `${locator.path}/a` },
      ];
      await tracker.merge(locator, span(0, 1));
      for (const [at, other] of others.entries()) await tracker.merge(other, span(at + 1, at + 2));
      assert.deepEqual(await tracker.current(locator), [span(0, 1)]);
      for (const [at, other] of others.entries())
        assert.deepEqual(await tracker.current(other), [span(at + 1, at + 2)]);
    }),

    clause(
      "A span that is empty, reversed, negative or fractional is INVALID_ARGUMENT and changes nothing.",
      async (tracker) => {
        const locator = freshLocator();
        await tracker.merge(locator, span(0, 10));
        const malformed = [
          span(5, 5),
          span(0, 0),
          span(20, 10),
          span(-5, 20),
          span(0.5, 20),
          span(0, 20.5),
          span(0, 2 ** 53),
          span(Number.NaN, 1),
        ];
        for (const wrong of malformed) {
          await expectReason("INVALID_ARGUMENT", tracker.merge(locator, wrong), `[${wrong.start}, ${wrong.end})`);
        }
        assert.deepEqual(await tracker.current(locator), [span(0, 10)]);
      },
    ),

    clause("A malformed locator is refused with INVALID_ARGUMENT.", async (tracker) => {
      for (const path of ["", "../a", "a//b", "a b", "/a"]) {
        const wrong = { ...freshLocator(), path };
        await expectReason("INVALID_ARGUMENT", tracker.current(wrong), "current");
        await expectReason("INVALID_ARGUMENT", tracker.merge(wrong, span(0, 1)), "merge");
      }
    }),

    clause("100 concurrent merges of spans that touch lose none.", async (tracker) => {
      const locator = freshLocator();
      const starts = Array.from({ length: 100 }, (_, index) => ((index * 37) % 100) * 10);
      await Promise.all(starts.map((start) => tracker.merge(locator, span(start, start + 10))));
      assert.deepEqual(await tracker.current(locator), [span(0, 1000)]);
    }),

    clause("100 concurrent merges of spans that stay apart lose none.", async (tracker) => {
      const locator = freshLocator();
      const starts = Array.from({ length: 100 }, (_, index) => index * 10);
      const results = await Promise.all(starts.map((start) => tracker.merge(locator, span(start, start + 5))));
      assert.deepEqual(
        await tracker.current(locator),
        starts.map((start) => span(start, start + 5)),
      );
      for (const [index, result] of results.entries()) {
        assert.ok(
          result.some(({ start }) => start === index * 10),
          "the set that results has the span that was merged",
        );
      }
    }),

    clause("Changing the list that was returned cannot change the set.", async (tracker) => {
      const locator = freshLocator();
      (await tracker.merge(locator, span(0, 1))).pop();
      (await tracker.current(locator)).pop();
      assert.deepEqual(await tracker.current(locator), [span(0, 1)]);
    }),

    {
      says: "What was merged is there after reopening.",
      needs: "durable",
      async check(harness) {
        const locator = freshLocator();
        {
          await using tracker = await harness.open();
          await tracker.merge(locator, span(0, 10));
          await tracker.merge(locator, span(20, 30));
        }
        await using tracker = await harness.open();
        assert.deepEqual(await tracker.current(locator), [span(0, 10), span(20, 30)]);
      },
    },

    clause(
      "A set whose stored bits flipped reads as CORRUPT, never as spans.",
      async (tracker, harness) => {
        const locator = freshLocator();
        await tracker.merge(locator, span(0, 10));
        await harness.damage(formatLocator(locator));
        await expectReason("CORRUPT", tracker.current(locator));
      },
      "damage",
    ),

    {
      says: "Dispose waits for the merges in flight.",
      async check(harness) {
        const locator = freshLocator();
        const tracker = await harness.open();
        const merges = Array.from({ length: 50 }, (_, index) =>
          tracker.merge(locator, span(index * 10, index * 10 + 5)),
        );
        await expectDisposeWaits(tracker, merges);
        await using again = await harness.open();
        assert.equal((await again.current(locator)).length, 50);
      },
    },

    ...everyMethod<RangeTracker>((tracker) => {
      const locator = freshLocator();
      return {
        current: (options) => tracker.current(locator, options),
        merge: (options) => tracker.merge(locator, span(0, 1), options),
      };
    }),
  ],
};

function freshLocator(): Locator {
  return { scheme: "s3", bucket: "bucket", path: freshName() };
}

function span(start: number, end: number): ByteSpan {
  return { start, end };
}

/** Merges the spans one after the other into a fresh locator, and asserts what results. */
async function expectMerged(
  tracker: RangeTracker,
  spans: readonly ByteSpan[],
  expected: readonly ByteSpan[],
): Promise<void> {
  const locator = freshLocator();
  let result: ByteSpan[] = [];
  for (const added of spans) result = await tracker.merge(locator, added);
  assert.deepEqual(result, expected);
  assert.deepEqual(await tracker.current(locator), expected);
}
