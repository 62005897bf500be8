import type { BlobReceipt } from "@graviton/ports/blob-store";
import { formatSize } from "./sizes.ts";

/** What one run of `put` stored, all together. */
export class PutTotal {
  #files = 0;
  #bytes = 0;
  #blocks = 0;
  #freshBlocks = 0;
  #freshBytes = 0;
  #duplicateBlocks = 0;

  get files(): number {
    return this.#files;
  }

  add({ confirmed, freshBlocks, freshBytes, duplicateBlocks }: BlobReceipt): void {
    this.#files += 1;
    this.#bytes += confirmed.key.size;
    this.#blocks += confirmed.blockCount;
    this.#freshBlocks += freshBlocks;
    this.#freshBytes += freshBytes;
    this.#duplicateBlocks += duplicateBlocks;
  }

  /** One line for people: how much, and how much of it was there already. */
  summary(): string {
    const files = `${this.#files} ${this.#files === 1 ? "file" : "files"}`;
    const blocks = `${this.#blocks} ${this.#blocks === 1 ? "block" : "blocks"}`;
    const fresh = `${this.#freshBlocks} fresh (${formatSize(this.#freshBytes)})`;
    return `${files}, ${formatSize(this.#bytes)}: ${blocks}, ${fresh}, ${this.#duplicateBlocks} already stored`;
  }
}
