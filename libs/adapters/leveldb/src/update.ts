import { sealed } from "./stored-value.ts";

/** One change of a batch. */
export type Change =
  | { readonly type: "put"; readonly key: Buffer /** As it is stored. */; readonly value: Buffer }
  | { readonly type: "del"; readonly key: Buffer };

/** Stores the content, which it copies. */
export function put(key: Buffer, ...content: readonly Uint8Array[]): Change {
  return { type: "put", key, value: sealed(key, ...content) };
}

/** Removes the record. */
export function del(key: Buffer): Change {
  return { type: "del", key };
}

/** The content of a record as all updates before have left it; undefined when absent. Throws CORRUPT. */
export type ReadRecord = (key: Buffer) => Buffer | undefined;

/** What one caller wants done, all of it or nothing. Updates take place one after the other. */
export interface Update {
  /** The keys that `changes` will read; asked for just before it, and may not depend on other updates of its batch. */
  readonly reads?: () => readonly Buffer[];
  /** Decides on the changes. What it throws becomes the caller's error, and nothing is changed. */
  readonly changes: (read: ReadRecord) => readonly Change[];
  /** Shares its batch with no other update, so that what its `changes` does is seen by the `reads` of those after it. */
  readonly alone?: boolean;
}
