import type { BlobInfo, BlobListOptions, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import type { BlockStore } from "@graviton/ports/block-store";
import { type ByteRange, checkRange, resolveRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, formatKey, type Key, keysEqual, parseKey } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import { mapInOrder } from "@graviton/ports/map-in-order";
import { type BlobWritePlan, type ResolvedBlobWritePlan, resolveBlobWritePlan } from "@graviton/ports/plan";
import { checkKeys } from "@graviton/ports/presence";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { BatchWriter, batched } from "./batch-writer.ts";
import { chunked } from "./chunkers/chunker.ts";
import { createHasher, type Hasher } from "./hasher.ts";
import { ManifestBuilder } from "./manifest-builder.ts";

/** Questions about single blobs at work at once in `findMissing`. */
const statConcurrency = 32;

/** Batches at work at once in one put: one is stored while the next one is cut. */
const batchConcurrency = 2;

/** What a {@link CasBlobStore} stands on. It owns neither. */
export interface CasBlobStoreParts {
  readonly blocks: BlockStore;
  readonly manifests: ManifestStore;
}

/**
 * The heart of Graviton: cuts a stream into blocks by content, stores each block once, and commits the manifest last, so
 * that a crash at any point leaves nothing visible that cannot be read back.
 */
export class CasBlobStore implements BlobStore {
  readonly #blocks: BlockStore;
  readonly #manifests: ManifestStore;
  readonly #lifetime = new Lifetime("CasBlobStore");

  constructor({ blocks, manifests }: CasBlobStoreParts) {
    this.#blocks = blocks;
    this.#manifests = manifests;
  }

  put(plan: BlobWritePlan, bytes: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<BlobReceipt> {
    return this.#lifetime.run(options, () => this.#put(resolveBlobWritePlan(plan), bytes, options));
  }

  get(key: Key, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => this.#get(checkKey(key), checkRange(range), options));
  }

  stat(key: Key, options?: CallOptions): Promise<BlobInfo> {
    return this.#lifetime.run(options, async () => this.#manifests.stat(checkKey(key), options));
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => this.#manifests.delete(checkKey(key), options));
  }

  list(options: BlobListOptions = {}): AsyncIterable<BlobInfo> {
    return this.#lifetime.stream(options, () => {
      checkListOptions(options);
      if (options.after !== undefined) parseKey(options.after);
      return this.#manifests.list(options);
    });
  }

  findMissing(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, async () => {
      const answers = mapInOrder(checkKeys(keys), { concurrency: statConcurrency }, async (key) => {
        return (await this.#isStored(key, options)) ? [] : [key];
      });
      const missing: Key[] = [];
      for await (const answer of answers) missing.push(...answer);
      return missing;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #put(
    plan: ResolvedBlobWritePlan,
    bytes: AsyncIterable<Uint8Array>,
    options: CallOptions | undefined,
  ): Promise<BlobReceipt> {
    await using manifest = new ManifestBuilder(plan.algorithm);
    const hasher = createHasher(plan.algorithm);
    const writer = new BatchWriter(this.#blocks, this.#manifests, plan, options);
    const blocks = chunked(plan.chunker, hashed(hasher, plan.expected, abortable(bytes, callSignal(options))));
    const batches = batched(plan.algorithm, blocks);
    for await (const batch of mapInOrder(batches, { concurrency: batchConcurrency }, (some) => writer.store(some))) {
      for (const { key } of batch) await manifest.append(key);
    }
    const key: Key = { algorithm: plan.algorithm, digest: hasher.digest(), size: manifest.size };
    checkExpected(plan.expected, key);
    checkCall(options);
    const { created, info } = await this.#manifests.put(
      { key, attributes: plan.attributes },
      manifest.pages(),
      options,
    );
    return { ...info, created, ...writer.tally() };
  }

  async *#get(key: Key, range: ByteRange, options: CallOptions | undefined): AsyncGenerator<Uint8Array, void, void> {
    const span = resolveRange(range, key.size, formatKey(key));
    for await (const page of this.#manifests.blockRefs(key, range, options)) {
      let next = 0;
      const blocks = this.#blocks.getMany(
        page.map((entry) => entry.block),
        options,
      );
      for await (const { bytes } of namingLostBlocks(key, blocks)) {
        const { offset } = page[next++] ?? { offset: 0 };
        yield bytes.subarray(Math.max(0, span.start - offset), Math.min(bytes.length, span.end - offset));
      }
    }
  }

  async #isStored(key: Key, options: CallOptions | undefined): Promise<boolean> {
    try {
      await this.#manifests.stat(key, options);
      return true;
    } catch (error) {
      if (hasReason(error, "NOT_FOUND")) return false;
      throw error;
    }
  }
}

/** Hands the bytes on and hashes them; stops as soon as they are more than the expected key has. */
async function* hashed(
  hasher: Hasher,
  expected: Key | undefined,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let size = 0;
  for await (const bytes of source) {
    size += bytes.length;
    if (expected !== undefined && size > expected.size) {
      throw new StorageError(
        "HASH_MISMATCH",
        `the bytes are more than the ${expected.size} of ${formatKey(expected)}`,
        {
          resource: formatKey(expected),
        },
      );
    }
    hasher.update(bytes);
    yield bytes;
  }
}

function checkExpected(expected: Key | undefined, actual: Key): void {
  if (expected === undefined || keysEqual(expected, actual)) return;
  throw new StorageError("HASH_MISMATCH", `expected ${formatKey(expected)}, but the bytes are ${formatKey(actual)}`, {
    resource: formatKey(expected),
  });
}

/** A block that its manifest names and nobody has is a fault of the store, not of the question. */
async function* namingLostBlocks<T>(key: Key, blocks: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  try {
    yield* blocks;
  } catch (error) {
    if (!hasReason(error, "NOT_FOUND")) throw error;
    throw new StorageError("CORRUPT", `blob ${formatKey(key)} cannot be read: ${error.message}`, {
      ...(error.resource === undefined ? {} : { resource: error.resource }),
      cause: error,
    });
  }
}
