import type { Boundaries } from "./boundaries.ts";
import type { Chunker } from "./chunker.ts";

/** Cuts one stream into blocks, where its boundaries say. Holds the block in progress and nothing else. */
export class BlockCutter implements Chunker {
  readonly #boundaries: Boundaries;
  /** The block in progress, as far as it came with earlier bytes; grows as needed. */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  constructor(boundaries: Boundaries) {
    this.#boundaries = boundaries;
  }

  push(bytes: Uint8Array): Uint8Array[] {
    return [...this.blocks(bytes)];
  }

  *blocks(bytes: Uint8Array): Generator<Uint8Array, void, void> {
    let start = -this.#heldBytes;
    for (const end of this.#boundaries.ends(bytes, start)) {
      yield this.#copy(bytes, start, end);
      start = end;
    }
    this.#hold(bytes, start);
  }

  finish(): Uint8Array[] {
    const blocks: Uint8Array[] = [];
    for (let start = 0; start < this.#heldBytes; start += this.#boundaries.maximumBytes) {
      const end = Math.min(start + this.#boundaries.maximumBytes, this.#heldBytes);
      blocks.push(Buffer.from(this.#held.subarray(start, end)));
    }
    this.#heldBytes = 0;
    return blocks;
  }

  /** The bytes from `start` to `end`, both counted from the first of `bytes`; those before it are held. */
  #copy(bytes: Uint8Array, start: number, end: number): Buffer {
    const block = Buffer.allocUnsafe(end - start);
    if (start < 0) this.#held.copy(block, 0, this.#heldBytes + start, this.#heldBytes);
    if (end > 0) block.set(bytes.subarray(Math.max(start, 0), end), Math.max(-start, 0));
    return block;
  }

  /** Keeps what comes from `start` on, for the block that is not complete. */
  #hold(bytes: Uint8Array, start: number): void {
    const kept = this.#held.subarray(this.#heldBytes - Math.max(-start, 0), this.#heldBytes);
    this.#heldBytes = bytes.length - start;
    if (this.#heldBytes > this.#held.length) this.#held = Buffer.allocUnsafeSlow(roomFor(this.#heldBytes));
    // Kept bytes that are in their place already stay there, or a stream of tiny pieces would copy them each time.
    if (kept.buffer !== this.#held.buffer || kept.byteOffset > 0) this.#held.set(kept);
    this.#held.set(bytes.subarray(Math.max(start, 0)), kept.length);
  }
}

/** A power of two, for the same reason. */
function roomFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
