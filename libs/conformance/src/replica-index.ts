import assert from "node:assert/strict";
import { formatKey, type Key } from "@graviton/ports/key";
import { replicasPerKeyMax } from "@graviton/ports/limits";
import { formatLocator, type Locator, parseLocator } from "@graviton/ports/locator";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { freshKey, inByteOrder } from "./content.ts";
import { type Contract, clauseOf } from "./contract.ts";
import { everyMethod, expectDisposeWaits } from "./every-method.ts";
import { expectReason } from "./expect-reason.ts";

const clause = clauseOf<ReplicaIndex>;

/** What every {@link ReplicaIndex} promises. */
export const replicaIndexContract: Contract<ReplicaIndex> = {
  port: "ReplicaIndex",
  clauses: [
    clause("Content that nobody put has no replicas.", async (index) => {
      assert.deepEqual(await index.replicas(freshKey()), []);
    }),

    clause("The replicas are those of the update, in the byte order of their text, each once.", async (index) => {
      const key = freshKey();
      const texts = [
        "s3://b/z",
        "fs://b/a",
        "pg://b/é",
        "mem://b/\uff61",
        "mem://b/😀",
        "s3://a/z",
        "fs://b/a/b",
        "fs://b/a-b",
      ];
      await index.update(key, [...texts, ...texts].map(parseLocator));
      assert.deepEqual(await textsOf(index, key), inByteOrder(texts));
    }),

    clause("An update replaces the whole set.", async (index) => {
      const key = freshKey();
      await index.update(key, locators("a", "b"));
      await index.update(key, locators("b", "c"));
      assert.deepEqual(await index.replicas(key), locators("b", "c"));
    }),

    clause("The empty set forgets the key, and may be given for one that is not known.", async (index) => {
      const key = freshKey();
      await index.update(key, locators("a"));
      await index.update(key, []);
      await index.update(freshKey(), []);
      assert.deepEqual(await index.replicas(key), []);
    }),

    clause("Keys are apart, also those that differ in size or algorithm alone.", async (index) => {
      const key = freshKey();
      const others: Key[] = [{ ...key, size: 1 }, { ...key, algorithm: "blake3" }, freshKey()];
      await index.update(key, locators("a"));
      for (const [at, other] of others.entries()) await index.update(other, locators(`other/${at}`));
      assert.deepEqual(await index.replicas(key), locators("a"));
      for (const [at, other] of others.entries())
        assert.deepEqual(await index.replicas(other), locators(`other/${at}`));
    }),

    clause(
      "A set of exactly the limit is stored, repetitions counted once; one more is TOO_LARGE and changes nothing.",
      async (index) => {
        const key = freshKey();
        const most = locators(
          ...Array.from({ length: replicasPerKeyMax }, (_, at) => `r/${String(at).padStart(4, "0")}`),
        );
        await index.update(key, [...most, ...most.slice(0, 10)]);
        assert.deepEqual(await index.replicas(key), most);
        await expectReason("TOO_LARGE", index.update(key, [...most, ...locators("one/more")]));
        assert.deepEqual(await index.replicas(key), most);
      },
    ),

    clause("A malformed locator is refused with INVALID_ARGUMENT and changes nothing.", async (index) => {
      const key = freshKey();
      await index.update(key, locators("a"));
      for (const wrong of [{ path: "../a" }, { path: "" }, { path: "a b" }, { bucket: "B" }, { scheme: "http" }]) {
        const set = [...locators("b"), { ...(locators("c")[0] as Locator), ...wrong } as Locator];
        await expectReason("INVALID_ARGUMENT", index.update(key, set), JSON.stringify(wrong));
      }
      assert.deepEqual(await index.replicas(key), locators("a"));
    }),

    clause("A malformed key is refused with INVALID_ARGUMENT.", async (index) => {
      const wrong = { ...freshKey(), digest: "abc" };
      await expectReason("INVALID_ARGUMENT", index.replicas(wrong), "replicas");
      await expectReason("INVALID_ARGUMENT", index.update(wrong, locators("a")), "update");
    }),

    clause("Of many concurrent updates of one key the result is one of theirs, whole.", async (index) => {
      const key = freshKey();
      const sets = Array.from({ length: 32 }, (_, at) => locators(`${at}/a`, `${at}/b`, `${at}/c`));
      await Promise.all(sets.map((set) => index.update(key, set)));
      const texts = JSON.stringify(await index.replicas(key));
      assert.ok(
        sets.some((set) => JSON.stringify(set) === texts),
        `${texts} is none of the sets`,
      );
    }),

    clause("Changing the list that was returned or given cannot change the set.", async (index) => {
      const key = freshKey();
      const given = locators("a", "b");
      await index.update(key, given);
      given.pop();
      (await index.replicas(key)).pop();
      assert.deepEqual(await index.replicas(key), locators("a", "b"));
    }),

    {
      says: "What was updated is there after reopening.",
      needs: "durable",
      async check(harness) {
        const [key, gone] = [freshKey(), freshKey()];
        {
          await using index = await harness.open();
          await index.update(key, locators("a", "b"));
          await index.update(gone, locators("a"));
          await index.update(gone, []);
        }
        await using index = await harness.open();
        assert.deepEqual(await index.replicas(key), locators("a", "b"));
        assert.deepEqual(await index.replicas(gone), []);
      },
    },

    clause(
      "A set whose stored bits flipped reads as CORRUPT, never as locators.",
      async (index, harness) => {
        const key = freshKey();
        await index.update(key, locators("a", "b"));
        await harness.damage(formatKey(key));
        await expectReason("CORRUPT", index.replicas(key));
      },
      "damage",
    ),

    {
      says: "Dispose waits for the updates in flight.",
      async check(harness) {
        const index = await harness.open();
        const keys = Array.from({ length: 50 }, () => freshKey());
        const updates = keys.map((key) => index.update(key, locators("a")));
        await expectDisposeWaits(index, updates);
        await using again = await harness.open();
        for (const key of keys) assert.deepEqual(await again.replicas(key), locators("a"));
      },
    },

    ...everyMethod<ReplicaIndex>((index) => {
      const key = freshKey();
      return {
        replicas: (options) => index.replicas(key, options),
        update: (options) => index.update(key, locators("a"), options),
      };
    }),
  ],
};

function locators(...paths: readonly string[]): Locator[] {
  return paths.map((path) => ({ scheme: "s3", bucket: "bucket", path }));
}

async function textsOf(index: ReplicaIndex, key: Key): Promise<string[]> {
  return (await index.replicas(key)).map(formatLocator);
}
