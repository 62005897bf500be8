import type { ResolvedChunkerPlan } from "@graviton/ports/plan";
import type { Boundaries } from "./boundaries.ts";
import { FastCdcKernel } from "./fastcdc-kernel.ts";
import { type Masks, selectMasks } from "./fastcdc-parameters.ts";

const kernel = new FastCdcKernel();

/**
 * FastCDC 2020, with the boundaries of the Rust crate `fastcdc`, module `v2020`, to which the Remote Execution API
 * refers. The hash starts at the minimum of each block and takes bytes in pairs; the block ends before the byte that
 * makes the hash meet the mask, or at the maximum. Since pairs count from the block's start, an odd minimum lets a block
 * be one byte shorter, an odd average counts as the even number below, and the last byte before an odd maximum or
 * before an odd end of the stream is not looked at.
 */
export class FastCdcBoundaries implements Boundaries {
  readonly maximumBytes: number;
  readonly #seed: bigint;
  readonly #masks: Masks;
  /** Bytes of a block before which nothing is looked at, before which the strict mask rules, and behind which nothing is. */
  readonly #first: number;
  readonly #average: number;
  readonly #last: number;
  /** How far the block in progress is dealt with, and the hash there. */
  #scanned: number;
  #hash = 0n;
  /** The last byte of the piece before, for the pair that it may begin. */
  #before = 0;
  /** Which of the bytes at hand the kernel's window holds. */
  #windowFrom = 0;
  #windowTo = 0;

  constructor(plan: Extract<ResolvedChunkerPlan, { kind: "fastcdc" }>) {
    this.maximumBytes = plan.maximumBytes;
    this.#seed = plan.seed;
    this.#masks = selectMasks(plan.averageBytes, plan.normalization);
    this.#first = even(plan.minimumBytes);
    this.#average = even(plan.averageBytes);
    this.#last = even(plan.maximumBytes);
    this.#scanned = this.#first;
  }

  *ends(bytes: Uint8Array, start: number): Generator<number, void, void> {
    this.#windowFrom = this.#windowTo = 0;
    let blockStart = start;
    for (;;) {
      const end = this.#findEnd(bytes, blockStart);
      if (end === undefined) break;
      this.#scanned = this.#first;
      this.#hash = 0n;
      yield end;
      blockStart = end;
    }
    if (bytes.length > 0) this.#before = bytes[bytes.length - 1] as number;
  }

  #findEnd(bytes: Uint8Array, start: number): number | undefined {
    let at = start + this.#scanned;
    const limit = Math.min(start + this.#last, at + even(bytes.length - at));
    while (at < limit) {
      const strict = at < start + this.#average;
      this.#look(bytes, at);
      const to = Math.min(limit, this.#windowTo, strict ? start + this.#average : limit);
      const count = even(to - at);
      const from = at - this.#windowFrom;
      const found = kernel.scan(from, from + count, this.#hash, strict ? this.#masks.strict : this.#masks.loose);
      if (found >= 0) return this.#windowFrom + found;
      this.#hash = kernel.hash;
      at += count;
    }
    this.#scanned = at - start;
    return start + this.maximumBytes <= bytes.length ? start + this.maximumBytes : undefined;
  }

  /** Sees to it that the window holds the pair at `at`, of which the first byte may have come with the piece before. */
  #look(bytes: Uint8Array, at: number): void {
    if (kernel.isHeldBy(this) && at >= this.#windowFrom && at + 2 <= this.#windowTo) return;
    const piece = at < 0 ? Uint8Array.of(this.#before, ...bytes.subarray(0, 1)) : bytes.subarray(at);
    this.#windowFrom = at;
    this.#windowTo = at + kernel.fill(this, this.#seed, piece);
  }
}

function even(bytes: number): number {
  return bytes - (bytes % 2);
}
