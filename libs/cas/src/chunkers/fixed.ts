import type { ResolvedChunkerPlan } from "@graviton/ports/plan";
import type { Boundaries } from "./boundaries.ts";

/** A block ends every `blockBytes`. */
export class FixedBoundaries implements Boundaries {
  readonly maximumBytes: number;

  constructor(plan: Extract<ResolvedChunkerPlan, { kind: "fixed" }>) {
    this.maximumBytes = plan.blockBytes;
  }

  *ends(bytes: Uint8Array, start: number): Generator<number, void, void> {
    for (let end = start + this.maximumBytes; end <= bytes.length; end += this.maximumBytes) yield end;
  }
}
