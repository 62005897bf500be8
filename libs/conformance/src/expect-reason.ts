import { hasReason, type Reason, StorageError } from "@graviton/ports/storage-error";

/** Asserts that the call fails for just this reason, and gives the error. A stream is read to its end. */
export async function expectReason(
  reason: Reason,
  call: Promise<unknown> | AsyncIterable<unknown>,
  what = "the call",
): Promise<StorageError> {
  try {
    if (Symbol.asyncIterator in call) for await (const _ of call);
    else await call;
  } catch (error) {
    if (hasReason(error, reason)) return error;
    throw new Error(`${what} should fail with ${reason}, not with ${String(error)}`, { cause: error });
  }
  throw new Error(`${what} should fail with ${reason}, and succeeded`);
}

/** What the sources of clauses fail with: a reason that no store has of its own. */
export const sourceError = new StorageError("PERMISSION_DENIED", "the source of the clause breaks off");
