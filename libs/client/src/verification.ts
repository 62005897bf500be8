import { createHasher, type Hasher } from "@graviton/cas/hasher";
import type { BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import type { ByteSpan } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { formatKey, type HashAlgorithm, type Key, keysEqual } from "@graviton/ports/key";
import { type BlobWritePlan, resolveBlobWritePlan } from "@graviton/ports/plan";
import { StorageError } from "@graviton/ports/storage-error";
import { sourceOf, type Upload } from "./uploads.ts";

/**
 * Hands on the bytes of a part of a blob, and ends with CORRUPT when they are too few, too many, or, where the part is
 * the whole, when they hash to another key. A smaller part has no key of its own: the server alone verifies it.
 */
export async function* verified(
  key: Key,
  { start, end }: ByteSpan,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const expected = end - start;
  const arrived = new RunningKey(key.algorithm);
  for await (const bytes of source) {
    arrived.add(bytes);
    if (arrived.size > expected) throw corrupt(key, `more than the ${expected} bytes asked for arrived`);
    yield bytes;
  }
  if (arrived.size < expected) throw corrupt(key, `${arrived.size} bytes arrived instead of ${expected}`);
  if (expected === key.size && !keysEqual(arrived.key, key)) {
    throw corrupt(key, `the bytes that arrived are ${formatKey(arrived.key)}`);
  }
}

/**
 * Puts an upload, and compares the key in the answer with that of the bytes that were sent.
 *
 * @throws StorageError CORRUPT when they differ
 */
export async function putVerified(
  blobs: BlobStore,
  plan: BlobWritePlan,
  upload: Upload,
  options: CallOptions,
): Promise<BlobReceipt> {
  const { algorithm } = resolveBlobWritePlan(plan);
  // A stream is taken from as soon as a put begins: whether anybody answers has to be known before.
  if (!upload.repeatable) await blobs.findMissing([], options);
  let sent = new RunningKey(algorithm);
  const open = () => {
    sent = new RunningKey(algorithm);
    return sent.of(upload.open());
  };
  const source = sourceOf({ repeatable: upload.repeatable, open });
  const receipt = await blobs.put(plan, source, options);
  const stored = formatKey(receipt.confirmed.key);
  if (!keysEqual(receipt.confirmed.key, sent.key)) throw corrupt(sent.key, `the server stored ${stored}`);
  return receipt;
}

/** The key of a stream, computed while it passes. */
class RunningKey {
  readonly #algorithm: HashAlgorithm;
  readonly #hasher: Hasher;
  #size = 0;
  #key: Key | undefined;

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm;
    this.#hasher = createHasher(algorithm);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** The key of all bytes. Nothing can be added after it was asked for. */
  get key(): Key {
    this.#key ??= { algorithm: this.#algorithm, digest: this.#hasher.digest(), size: this.#size };
    return this.#key;
  }

  add(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
    this.#size += bytes.length;
  }

  /** Hands the bytes on and adds them. */
  async *of(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const bytes of source) {
      this.add(bytes);
      yield bytes;
    }
  }
}

function corrupt(key: Key, what: string): StorageError {
  const text = formatKey(key);
  return new StorageError("CORRUPT", `${text} did not arrive intact: ${what}`, { resource: text });
}
