import assert from "node:assert/strict";
import type { Attributes, ConfirmedAttributes } from "@graviton/ports/attributes";

/** What a store knows of a blob or of its manifest. */
interface Info {
  readonly advertised: Attributes;
  readonly confirmed: ConfirmedAttributes;
}

/** Asserts that the attributes are these, where absent and undefined are the same. */
export function expectAttributes(actual: Attributes, expected: Attributes): void {
  assert.equal(actual.contentType, expected.contentType, "contentType");
  assert.equal(actual.name, expected.name, "name");
  assert.deepEqual({ ...actual.custom }, { ...expected.custom }, "custom");
}

/** Asserts that both say the same. */
export function expectSameInfo(actual: Info, expected: Info): void {
  expectAttributes(actual.advertised, expected.advertised);
  assert.deepEqual(actual.confirmed, expected.confirmed);
}

/** Asserts that the store vouches for the right things. */
export function expectConfirmed({ confirmed }: Info, key: ConfirmedAttributes["key"], blockCount: number): void {
  assert.deepEqual(confirmed.key, key);
  assert.equal(confirmed.blockCount, blockCount);
  assert.ok(Number.isSafeInteger(confirmed.createdAt) && confirmed.createdAt > 0, "createdAt is a time");
}
