import type { ResolvedChunkerPlan } from "@graviton/ports/plan";
import type { Boundaries } from "./boundaries.ts";

/**
 * A block ends where the delimiter stands. Found by the algorithm of Knuth, Morris and Pratt ("Fast pattern matching
 * in strings", SIAM Journal on Computing 6, 1977), which never looks back, so a delimiter may straddle any pieces.
 *
 * Delimiters are found from left to right, none overlapping the one before, as though there were no maximum. They
 * divide the stream into records: with `include` a record ends behind a delimiter, without it a record begins with
 * one. A record is one block; one over the maximum is cut every `maximumBytes` from its first byte, and what is left
 * of it is a block of its own. A cut at the maximum may therefore fall inside a delimiter, which still ends its record.
 */
export class DelimiterBoundaries implements Boundaries {
  readonly maximumBytes: number;
  readonly #delimiter: Uint8Array;
  readonly #include: boolean;
  readonly #borders: Uint16Array;
  /** How many bytes of the delimiter the stream ends with so far. */
  #matched = 0;

  constructor(plan: Extract<ResolvedChunkerPlan, { kind: "delimiter" }>) {
    this.maximumBytes = plan.maximumBytes;
    this.#delimiter = Uint8Array.from(plan.delimiter);
    this.#include = plan.include;
    this.#borders = bordersOf(this.#delimiter);
  }

  *ends(bytes: Uint8Array, start: number): Generator<number, void, void> {
    const delimiterBytes = this.#delimiter.length;
    let blockStart = start;
    let at = 0;
    let candidate = -1;
    for (;;) {
      // A record that begins with the delimiter may turn out to end where the match in progress began.
      const settled = this.#include ? at : at - this.#matched;
      while (settled - blockStart >= this.maximumBytes) {
        blockStart += this.maximumBytes;
        yield blockStart;
      }
      if (at === bytes.length) return;
      const limit = Math.min(bytes.length, blockStart + this.maximumBytes);
      if (this.#matched === 0) {
        if (candidate < at) candidate = this.#nextCandidate(bytes, at);
        at = Math.min(candidate, limit);
        if (at === limit) continue;
      }
      at = this.#advance(bytes, at, limit);
      if (this.#matched < delimiterBytes) continue;
      this.#matched = 0;
      const end = this.#include ? at : at - delimiterBytes;
      if (end === blockStart) continue;
      blockStart = end;
      yield blockStart;
    }
  }

  /** Where the delimiter's first byte stands next, which a search for one byte finds faster than matching does. */
  #nextCandidate(bytes: Uint8Array, from: number): number {
    const first = this.#delimiter[0] as number;
    if (bytes[from] === first) return from;
    const found = Uint8Array.prototype.indexOf.call(bytes, first, from);
    return found < 0 ? bytes.length : found;
  }

  /**
   * Goes on with the match by one byte at least, until it is complete, comes to nothing, or reaches the limit. Gives
   * the index behind the last byte looked at.
   */
  #advance(bytes: Uint8Array, from: number, limit: number): number {
    const delimiter = this.#delimiter;
    let matched = this.#matched;
    let at = from;
    do {
      const byte = bytes[at++];
      while (matched > 0 && delimiter[matched] !== byte) matched = this.#borders[matched - 1] as number;
      if (delimiter[matched] === byte) matched += 1;
    } while (matched > 0 && matched < delimiter.length && at < limit);
    this.#matched = matched;
    return at;
  }
}

/** For each beginning of the delimiter, how long its longest proper beginning is that is also its end. */
function bordersOf(delimiter: Uint8Array): Uint16Array {
  const borders = new Uint16Array(delimiter.length);
  for (let at = 1, matched = 0; at < delimiter.length; at += 1) {
    while (matched > 0 && delimiter[matched] !== delimiter[at]) matched = borders[matched - 1] as number;
    if (delimiter[matched] === delimiter[at]) matched += 1;
    borders[at] = matched;
  }
  return borders;
}
