import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BlockInput } from "@graviton/ports/block-store";
import { checkKey } from "@graviton/ports/key";
import { blockBytesMax } from "@graviton/ports/limits";
import type { BlockWritePlan } from "@graviton/ports/plan";
import type { PutBlocksRequestSchema } from "@graviton/proto/graviton/block/v1/block_pb";
import { keyToWire } from "../convert.ts";
import { framesOf } from "../frames.ts";
import { planToWire } from "./plan.ts";

type Request = MessageInitShape<typeof PutBlocksRequestSchema>;

/** How long a broken source waits for the reports of the blocks before it, in milliseconds. */
const reportsMsMax = 5000;

/** What the header of a block can say of its size. */
const sizeMax = 2 ** 32 - 1;

/**
 * The messages of one `putBlocks`. Cancelling the call, as a source that fails must, would also take back the blocks
 * before the failure that the server is still busy with; so the failure waits until those are reported.
 */
export class BlockUpload {
  readonly #plan: BlockWritePlan;
  readonly #reported = Promise.withResolvers<void>();
  #blocks = 0;
  #bytes = 0;
  #reports = 0;
  #failed = false;

  constructor(plan: BlockWritePlan) {
    this.#plan = plan;
  }

  async *requests(blocks: AsyncIterable<BlockInput>): AsyncGenerator<Request, void, void> {
    yield { part: { case: "plan", value: planToWire(this.#plan) } };
    try {
      for await (const block of blocks) yield* this.#block(block);
    } catch (error) {
      this.#failed = true;
      await this.#outstandingReports();
      throw error;
    }
  }

  /** Says that the server reported one more block. */
  report(): void {
    this.#reports += 1;
    if (this.#failed && this.#reports >= this.#expected()) this.#reported.resolve();
  }

  *#block({ bytes, key }: BlockInput): Generator<Request, void, void> {
    const named = key === undefined ? {} : { key: keyToWire(checkKey(key)) };
    for (const piece of this.#pieces(bytes)) {
      const size = Math.min(piece.length, sizeMax);
      yield { part: { case: "header", value: { ...named, size } } };
      // The server refuses it by its header, after the blocks before it.
      if (size > blockBytesMax) continue;
      for (const frame of framesOf(piece)) yield { part: { case: "frame", value: frame } };
      this.#blocks += 1;
      this.#bytes += size;
    }
  }

  /** A stream that the server cuts may come in pieces of any size; a block is one piece. */
  *#pieces(bytes: Uint8Array): Generator<Uint8Array, void, void> {
    if (this.#plan.framing?.kind !== "fixed") {
      yield bytes;
      return;
    }
    for (let from = 0; from < bytes.length; from += blockBytesMax) yield bytes.subarray(from, from + blockBytesMax);
  }

  /** Blocks that are complete on the server's side. */
  #expected(): number {
    const { framing } = this.#plan;
    return framing?.kind === "fixed" ? Math.floor(this.#bytes / framing.blockBytes) : this.#blocks;
  }

  async #outstandingReports(): Promise<void> {
    if (this.#reports >= this.#expected()) return;
    const timer = setTimeout(this.#reported.resolve, reportsMsMax);
    await this.#reported.promise.finally(() => clearTimeout(timer));
  }
}
