import { blockBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import type { BlockHeader } from "@graviton/proto/graviton/block/v1/block_pb";
import { checkFrame } from "../frames.ts";

/** A part of a stream of blocks: what opens a block, or its next bytes. */
export type BlockPart =
  | { readonly case: "header"; readonly value: BlockHeader }
  | { readonly case: "frame"; readonly value: Uint8Array };

/** One block put together again. Nobody else has the bytes. */
export interface AssembledBlock {
  readonly header: BlockHeader;
  readonly bytes: Uint8Array;
}

/**
 * Puts the blocks of a stream together. Never holds more than one, and no memory for bytes that were announced and did
 * not come.
 *
 * @throws StorageError TOO_LARGE for a header over `blockBytesMax`
 * @throws StorageError INVALID_ARGUMENT for parts out of order, and for frames that do not add up to their header
 */
export async function* assembledBlocks(parts: AsyncIterable<BlockPart>): AsyncGenerator<AssembledBlock, void, void> {
  let block: Assembly | undefined;
  for await (const part of parts) {
    if (part.case === "header") {
      if (block !== undefined) throw incomplete(block, "a header");
      block = new Assembly(part.value);
    } else {
      if (block === undefined) throw new StorageError("INVALID_ARGUMENT", "a frame came before a block's header");
      block.add(checkFrame(part.value));
    }
    if (block.missing > 0) continue;
    yield { header: block.header, bytes: block.bytes };
    block = undefined;
  }
  if (block !== undefined) throw incomplete(block, "the end");
}

function incomplete({ header, missing }: Assembly, what: string): StorageError {
  const came = header.size - missing;
  return new StorageError("INVALID_ARGUMENT", `${what} came after ${came} of the ${header.size} bytes of a block`);
}

const noBytes = new Uint8Array();

class Assembly {
  readonly header: BlockHeader;
  bytes: Uint8Array = noBytes;
  #at = 0;

  constructor(header: BlockHeader) {
    if (header.size > blockBytesMax) {
      throw new StorageError("TOO_LARGE", `a block of ${header.size} bytes is over blockBytesMax, ${blockBytesMax}`);
    }
    this.header = header;
  }

  get missing(): number {
    return this.header.size - this.#at;
  }

  add(frame: Uint8Array): void {
    const { size } = this.header;
    if (frame.length > this.missing) {
      const sum = this.#at + frame.length;
      throw new StorageError("INVALID_ARGUMENT", `the frames of a block of ${size} bytes have ${sum} bytes and more`);
    }
    if (frame.length === size) {
      this.bytes = frame;
    } else {
      if (this.#at === 0) this.bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
      this.bytes.set(frame, this.#at);
    }
    this.#at += frame.length;
  }
}
