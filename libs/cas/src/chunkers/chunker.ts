import type { ResolvedChunkerPlan } from "@graviton/ports/plan";
import { BlockCutter } from "./block-cutter.ts";
import type { Boundaries } from "./boundaries.ts";
import { DelimiterBoundaries } from "./delimiter.ts";
import { FastCdcBoundaries } from "./fastcdc.ts";
import { FixedBoundaries } from "./fixed.ts";

/**
 * Cuts one stream into blocks. Where they end depends on the plan and the bytes alone, never on the pieces in which
 * the bytes come. Every block is a copy that belongs to the caller. What it holds is less than twice the longest block
 * of the plan, whatever the pieces.
 */
export interface Chunker {
  /** Adds the next bytes and gives the blocks that they complete. The bytes may be reused as soon as it returns. */
  push(bytes: Uint8Array): Uint8Array[];

  /**
   * As `push`, one block at a time, so that a piece of any size takes no more memory than one block. Go through all
   * of them before the next piece, and leave the bytes alone until then.
   */
  blocks(bytes: Uint8Array): Iterable<Uint8Array>;

  /** The rest of the stream: nothing for an empty one. The chunker is used up. */
  finish(): Uint8Array[];
}

/** A chunker for one stream. */
export function createChunker(plan: ResolvedChunkerPlan): Chunker {
  return new BlockCutter(boundariesOf(plan));
}

/**
 * The blocks of a stream, each of at least one byte; none for the empty stream. Asks for the next piece only once the
 * blocks of the one before are taken, so the source may reuse its memory.
 */
export async function* chunked(
  plan: ResolvedChunkerPlan,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const chunker = createChunker(plan);
  for await (const bytes of source) yield* chunker.blocks(bytes);
  yield* chunker.finish();
}

function boundariesOf(plan: ResolvedChunkerPlan): Boundaries {
  switch (plan.kind) {
    case "fastcdc":
      return new FastCdcBoundaries(plan);
    case "fixed":
      return new FixedBoundaries(plan);
    case "delimiter":
      return new DelimiterBoundaries(plan);
  }
}
