import type { BlockInput, BlockStore } from "@graviton/ports/block-store";
import type { CallOptions } from "@graviton/ports/call-options";
import { formatKey, type HashAlgorithm, type Key } from "@graviton/ports/key";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { ResolvedBlobWritePlan } from "@graviton/ports/plan";
import { StorageError } from "@graviton/ports/storage-error";
import { keyOf } from "./hasher.ts";

/** Bytes of a batch: enough blocks for one question about presence to pay, few enough to hold two batches in memory. */
const batchBytesMax = 4 * 1024 * 1024;

/** Blocks of a batch, for plans whose blocks are small. */
const batchBlocksMax = 1024;

/** A block with its name. The bytes belong to whoever holds it. */
export interface NamedBlock {
  readonly key: Key;
  readonly bytes: Uint8Array;
}

/** What a put has done so far. */
export interface Tally {
  readonly freshBlocks: number;
  readonly duplicateBlocks: number;
  readonly freshBytes: number;
}

/** Names blocks and gathers them into batches. */
export async function* batched(
  algorithm: HashAlgorithm,
  blocks: AsyncIterable<Uint8Array>,
): AsyncGenerator<NamedBlock[], void, void> {
  let batch: NamedBlock[] = [];
  let size = 0;
  for await (const bytes of blocks) {
    batch.push({ key: keyOf(algorithm, bytes), bytes });
    size += bytes.length;
    if (size < batchBytesMax && batch.length < batchBlocksMax) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Stores batches of blocks: asks which are missing, sends only those, and records them once they are durable. */
export class BatchWriter {
  readonly #blocks: BlockStore;
  readonly #manifests: ManifestStore;
  readonly #plan: ResolvedBlobWritePlan;
  readonly #options: CallOptions | undefined;
  #freshBlocks = 0;
  #duplicateBlocks = 0;
  #freshBytes = 0;

  constructor(
    blocks: BlockStore,
    manifests: ManifestStore,
    plan: ResolvedBlobWritePlan,
    options: CallOptions | undefined,
  ) {
    this.#blocks = blocks;
    this.#manifests = manifests;
    this.#plan = plan;
    this.#options = options;
  }

  /** Resolves to the same batch once every block of it is durable and recorded. */
  async store(batch: NamedBlock[]): Promise<NamedBlock[]> {
    const distinct = new Map(batch.map((block) => [formatKey(block.key), block]));
    const wanted = await this.#wanted([...distinct.values()].map((block) => block.key));
    const missing = wanted.flatMap((key) => distinct.get(formatKey(key)) ?? []);
    const fresh = missing.length === 0 ? 0 : await this.#send(missing);
    if (missing.length > 0) await this.#manifests.recordBlocks(wanted, this.#options);
    this.#duplicateBlocks += batch.length - fresh;
    return batch;
  }

  tally(): Tally {
    return {
      freshBlocks: this.#freshBlocks,
      duplicateBlocks: this.#duplicateBlocks,
      freshBytes: this.#freshBytes,
    };
  }

  async #wanted(keys: readonly Key[]): Promise<readonly Key[]> {
    if (this.#plan.duplicates === "rewrite") return keys;
    return this.#manifests.findMissingBlocks(keys, this.#options);
  }

  /** How many of the blocks were fresh. */
  async #send(blocks: readonly NamedBlock[]): Promise<number> {
    const { algorithm, duplicates } = this.#plan;
    let acknowledged = 0;
    let fresh = 0;
    for await (const event of this.#blocks.putBlocks({ algorithm, duplicates }, inputs(blocks), this.#options)) {
      if (event.kind !== "stored") continue;
      acknowledged += 1;
      if (event.status === "DUPLICATE") continue;
      fresh += 1;
      this.#freshBytes += event.key.size;
    }
    if (acknowledged !== blocks.length) {
      throw new StorageError("UNAVAILABLE", `the block store acknowledged ${acknowledged} of ${blocks.length} blocks`);
    }
    this.#freshBlocks += fresh;
    return fresh;
  }
}

async function* inputs(blocks: readonly NamedBlock[]): AsyncGenerator<BlockInput, void, void> {
  for (const { key, bytes } of blocks) yield { key, bytes, owned: true };
}
