import assert from "node:assert/strict";
import { hasReason, type Reason, StorageError } from "@graviton/ports/storage-error";
import { readFirst } from "./streams.ts";

/** Asserts that the call fails for just this reason, and gives the error. A stream must fail before its first item. */
export async function expectReason(
  reason: Reason,
  call: Promise<unknown> | AsyncIterable<unknown>,
  what = "the call",
): Promise<StorageError> {
  try {
    if (Symbol.asyncIterator in call) assert.equal(await readFirst(call), undefined, "an item");
    else await call;
  } catch (error) {
    if (hasReason(error, reason)) return error;
    throw new Error(`${what} should fail with ${reason}, not with ${String(error)}`, { cause: error });
  }
  throw new Error(`${what} should fail with ${reason}, and succeeded`);
}

/** What the sources of clauses fail with: a reason that no store has of its own. */
export const sourceError = new StorageError("PERMISSION_DENIED", "the source of the clause breaks off");
