import type { BlockInput } from "@graviton/ports/block-store";
import { checkKey, type HashAlgorithm, type Key } from "@graviton/ports/key";
import { blockBytesMax, blocksPerPutMax } from "@graviton/ports/limits";
import type { ResolvedBlockWritePlan } from "@graviton/ports/plan";
import { StorageError } from "@graviton/ports/storage-error";

/** A block with the key that it has, or that its writer claims, in memory that nobody else writes to. */
export interface NamedBlock extends BlockInput {
  readonly key: Key;
  readonly owned: true;
}

/** What bytes hash to. */
export type KeyOf = (algorithm: HashAlgorithm, bytes: Uint8Array) => Key;

/** The input of `putBlocks` cut into blocks as the plan's framing says, within the limits. */
export async function* namedBlocks(
  { framing, algorithm }: ResolvedBlockWritePlan,
  inputs: AsyncIterable<BlockInput>,
  keyOf: KeyOf,
): AsyncGenerator<NamedBlock, void, void> {
  let count = 0;
  for await (const input of framing.kind === "whole" ? inputs : cut(framing.blockBytes, inputs)) {
    count += 1;
    if (count > blocksPerPutMax) {
      throw new StorageError("TOO_LARGE", `more blocks in one call than blocksPerPutMax, ${blocksPerPutMax}`);
    }
    yield named(input, (bytes) => keyOf(algorithm, bytes));
  }
}

function named({ bytes, key, owned }: BlockInput, keyOf: (bytes: Uint8Array) => Key): NamedBlock {
  if (bytes.length === 0) throw new StorageError("INVALID_ARGUMENT", "a block has at least 1 byte");
  if (bytes.length > blockBytesMax) {
    throw new StorageError("TOO_LARGE", `a block of ${bytes.length} bytes is over blockBytesMax, ${blockBytesMax}`);
  }
  const named = key === undefined ? keyOf(bytes) : checkKey(key);
  return { bytes: owned ? bytes : Buffer.from(bytes), key: named, owned: true };
}

async function* cut(blockBytes: number, inputs: AsyncIterable<BlockInput>): AsyncGenerator<BlockInput, void, void> {
  let block = new Uint8Array();
  let filled = 0;
  for await (const { bytes, key } of inputs) {
    if (key !== undefined) {
      throw new StorageError("INVALID_ARGUMENT", "a stream that the store cuts cannot say the keys of its pieces");
    }
    for (let from = 0; from < bytes.length; ) {
      if (filled === 0) block = new Uint8Array(blockBytes);
      const piece = bytes.subarray(from, from + blockBytes - filled);
      block.set(piece, filled);
      from += piece.length;
      filled = (filled + piece.length) % blockBytes;
      if (filled === 0) yield { bytes: block, owned: true };
    }
  }
  if (filled > 0) yield { bytes: block.subarray(0, filled), owned: true };
}
