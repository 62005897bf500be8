import { StorageError } from "./storage-error.ts";

/** The part of a stream that a reader wants. */
export interface ByteRange {
  /** First byte wanted, from 0. */
  readonly offset: number;
  /** How many bytes at most; to the end when absent. A range that runs past the end stops at the end. */
  readonly length?: number | undefined;
}

/** Bytes from `start` up to and without `end`. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** The whole stream. */
export const wholeRange: ByteRange = { offset: 0 };

/**
 * The span of a stream of `size` bytes that `range` asks for. An offset equal to the size gives the empty span.
 *
 * @throws StorageError INVALID_ARGUMENT for a negative or fractional offset or length
 * @throws StorageError OUT_OF_RANGE for an offset beyond the end
 */
export function resolveRange(range: ByteRange, size: number, resource?: string): ByteSpan {
  checkRange(range);
  if (range.offset > size) {
    throw new StorageError("OUT_OF_RANGE", `offset ${range.offset} is beyond the end at ${size}`, {
      ...(resource === undefined ? {} : { resource }),
    });
  }
  const end = range.length === undefined ? size : Math.min(size, range.offset + range.length);
  return { start: range.offset, end };
}

/** @throws StorageError INVALID_ARGUMENT for a negative or fractional offset or length */
export function checkRange(range: ByteRange): ByteRange {
  checkCount("offset", range.offset);
  if (range.length !== undefined) checkCount("length", range.length);
  return range;
}

/** @throws StorageError INVALID_ARGUMENT unless the span is whole numbers with `0 <= start < end` */
export function checkSpan(span: ByteSpan): ByteSpan {
  checkCount("start", span.start);
  checkCount("end", span.end);
  if (span.end <= span.start) {
    throw new StorageError("INVALID_ARGUMENT", `a span must end after it starts, not [${span.start}, ${span.end})`);
  }
  return span;
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new StorageError("INVALID_ARGUMENT", `${name} ${value} must be a whole number of bytes, 0 or more`);
  }
}

/**
 * The set of `spans` with `added` in it: sorted, disjoint, overlapping and adjacent spans made one.
 * `spans` must already be sorted and disjoint.
 */
export function mergeSpan(spans: readonly ByteSpan[], added: ByteSpan): ByteSpan[] {
  const before = spans.filter((span) => span.end < added.start);
  const after = spans.filter((span) => span.start > added.end);
  const touching = spans.slice(before.length, spans.length - after.length);
  const start = Math.min(added.start, ...touching.slice(0, 1).map((span) => span.start));
  const end = Math.max(added.end, ...touching.slice(-1).map((span) => span.end));
  return [...before, { start, end }, ...after];
}
