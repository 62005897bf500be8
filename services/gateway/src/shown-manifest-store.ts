import type { ByteRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Key } from "@graviton/ports/key";
import type { ManifestInfo, ManifestPage } from "@graviton/ports/manifest";
import type { ManifestListOptions, ManifestStore } from "@graviton/ports/manifest-store";
import { StorageError } from "@graviton/ports/storage-error";

/**
 * Manifests to look at. Who could write them, or claim that blocks are stored, could make blobs that cannot be read: the
 * gateway does that itself, when blobs are put.
 */
export class ShownManifestStore implements ManifestStore {
  readonly #manifests: ManifestStore;

  /** @param manifests not owned */
  constructor(manifests: ManifestStore) {
    this.#manifests = manifests;
  }

  get(key: Key, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#manifests.get(key, options);
  }

  stat(key: Key, options?: CallOptions): Promise<ManifestInfo> {
    return this.#manifests.stat(key, options);
  }

  blockRefs(key: Key, range: ByteRange, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#manifests.blockRefs(key, range, options);
  }

  list(options?: ManifestListOptions): AsyncIterable<ManifestInfo> {
    return this.#manifests.list(options);
  }

  findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#manifests.findMissingBlocks(keys, options);
  }

  put(): Promise<never> {
    return refuse();
  }

  delete(): Promise<never> {
    return refuse();
  }

  recordBlocks(): Promise<never> {
    return refuse();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function refuse(): Promise<never> {
  throw new StorageError("UNSUPPORTED", "the gateway shows manifests, and changes them with their blobs alone");
}
