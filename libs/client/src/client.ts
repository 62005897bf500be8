import { Retries, type RetriesOptions } from "@graviton/decorators/retries";
import { retryingBlobStore, retryingKeyValueStore, retryingObjectStore } from "@graviton/decorators/retrying";
import type { BlobInfo, BlobListOptions, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { type ByteRange, resolveRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { checkKey, formatKey, type Key, parseKey } from "@graviton/ports/key";
import type { KeyValueStore } from "@graviton/ports/key-value-store";
import { Lifetime } from "@graviton/ports/lifetime";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import type { BlobWritePlan } from "@graviton/ports/plan";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { type Channel, connect } from "@graviton/rpc/channel";
import { RemoteKeyValueStore } from "@graviton/rpc/kv/remote";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { Replicas } from "@graviton/rpc/replicas";
import { observed, type ProgressListener } from "./progress.ts";
import { writeTargetFile } from "./target-file.ts";
import { type Content, fileName, type Upload, uploadOf, uploadOfFile } from "./uploads.ts";
import { putVerified, verified } from "./verification.ts";

/** Where a client finds Graviton, and how patient it is. */
export interface GravitonClientOptions {
  /**
   * A gateway or an embedded server, `http://host:port` or `host:port`; or several gateways of one cluster, which take
   * calls in turn, those that did not answer a moment ago last. A name stands for all of its addresses.
   */
  readonly endpoint: string | readonly string[];
  /** How calls are tried again; 8 tries when absent, some five seconds: as long as a server needs to restart. */
  readonly retries?: RetriesOptions | undefined;
}

/** What a put takes besides its content: how to store it, and how long to wait. */
export interface PutOptions extends BlobWritePlan, CallOptions {
  readonly onProgress?: ProgressListener | undefined;
}

/** What a get takes besides its key. */
export interface GetOptions extends CallOptions {
  /** The whole blob when absent. */
  readonly range?: ByteRange | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

const attemptsMaxDefault = 8;

/**
 * Graviton, from a program: stores content, and fetches it by its key, verified on arrival. It connects at the first
 * call. Keys are taken as such or in their text form, `blake3:<digest>:<size>`.
 *
 * Calls that fail with UNAVAILABLE, or with EXHAUSTED that says when to come back, are tried again within their deadline,
 * so that a restart of the server goes by unseen: a put of bytes or of a file from its beginning, a put of a stream only
 * while nothing was taken from it, a get from the byte it had reached.
 *
 * Every method refuses with UNAVAILABLE after dispose, honours the signal and deadline of its options, and throws
 * nothing but {@link import("@graviton/ports/storage-error").StorageError}, and what the caller's own stream or listener
 * throws. Dispose waits for what is in flight, and closes the connection.
 */
export class GravitonClient implements AsyncDisposable {
  /** Objects by their locators, with the same retries. Disposed with the client. */
  readonly objects: MutableObjectStore;
  /** Small values by their names, with the same retries. Disposed with the client. */
  readonly keyValues: KeyValueStore;
  readonly #blobs: BlobStore;
  readonly #lifetime: Lifetime;

  /** @throws StorageError INVALID_ARGUMENT for a malformed endpoint */
  constructor({ endpoint, retries }: GravitonClientOptions) {
    const { channel, owned } = connectTo(endpoint);
    const again = new Retries({ attemptsMax: attemptsMaxDefault, ...retries });
    this.objects = retryingObjectStore(new RemoteObjectStore(channel), again);
    this.keyValues = retryingKeyValueStore(new RemoteKeyValueStore(channel), again);
    this.#blobs = retryingBlobStore(new RemoteBlobStore(channel), again);
    const stores = [this.#blobs, this.objects, this.keyValues];
    this.#lifetime = new Lifetime("GravitonClient", async () => {
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
      await owned[Symbol.asyncDispose]();
    });
  }

  /**
   * Stores the content, durably, before it answers. The answer names it: `confirmed.key`. Its `created` is false also
   * where a first try had stored the blob and only its answer was lost.
   *
   * @throws StorageError HASH_MISMATCH when the content is not that of `expected`
   * @throws StorageError CORRUPT when the server stored something else than what was sent
   */
  put(content: Content, options: PutOptions = {}): Promise<BlobReceipt> {
    return this.#lifetime.run(options, async () => this.#put(uploadOf(content), options));
  }

  /**
   * As {@link put}, for the content of a file, whose name the blob gets where the options have none.
   *
   * @throws StorageError NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT for a folder; the path is their resource
   */
  putFile(path: string, options: PutOptions = {}): Promise<BlobReceipt> {
    return this.#lifetime.run(options, async () => {
      const attributes = { ...options.attributes, name: options.attributes?.name ?? fileName(path) };
      return this.#put(await uploadOfFile(path), { ...options, attributes });
    });
  }

  /**
   * The bytes of a blob, or of a range of it, in order. A whole blob is hashed as it arrives: only a stream that ends
   * without an error was the blob. Ending it early ends the call.
   *
   * @throws StorageError NOT_FOUND before the first byte
   * @throws StorageError OUT_OF_RANGE for an offset beyond the end
   * @throws StorageError CORRUPT when the bytes that came are not those of the key
   */
  get(key: Key | string, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => this.#get(key, options));
  }

  /**
   * As {@link get}, into a file, all or nothing: written under another name beside it, which becomes its own once
   * everything has arrived and is verified. A file that was there is replaced then. A device is written to directly.
   *
   * @throws StorageError NOT_FOUND for a folder that does not exist, PERMISSION_DENIED, EXHAUSTED for a full disk; the path
   * is their resource
   */
  getFile(key: Key | string, path: string, options: GetOptions = {}): Promise<void> {
    return this.#lifetime.run(options, async () => writeTargetFile(path, this.#get(key, options)));
  }

  /** What the server knows of a blob. @throws StorageError NOT_FOUND */
  stat(key: Key | string, options?: CallOptions): Promise<BlobInfo> {
    return this.#lifetime.run(options, async () => this.#blobs.stat(keyOf(key), options));
  }

  /** Forgets a blob. Idempotent: absent is a success. */
  delete(key: Key | string, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => this.#blobs.delete(keyOf(key), options));
  }

  /** All blobs in the byte order of their keys' text. A blob stored or deleted meanwhile may or may not appear. */
  list(options?: BlobListOptions): AsyncIterable<BlobInfo> {
    return this.#lifetime.stream(options, () => this.#blobs.list(options));
  }

  /** Those of `keys` that are not stored as blobs, in the order asked. At most `keysPerCallMax` keys. */
  findMissing(keys: readonly (Key | string)[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, async () => this.#blobs.findMissing(keys.map(keyOf), options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #put(upload: Upload, { onProgress, signal, deadline, ...plan }: PutOptions): Promise<BlobReceipt> {
    const totalBytes = upload.totalBytes ?? plan.expected?.size;
    const open = () => (onProgress === undefined ? upload.open() : observed(upload.open(), totalBytes, onProgress));
    return putVerified(this.#blobs, plan, { ...upload, open }, { signal, deadline });
  }

  #get(key: Key | string, { range = wholeRange, onProgress, ...call }: GetOptions): AsyncIterable<Uint8Array> {
    const asked = keyOf(key);
    const span = resolveRange(range, asked.size, formatKey(asked));
    const bytes = verified(asked, span, this.#blobs.get(asked, range, call));
    return onProgress === undefined ? bytes : observed(bytes, span.end - span.start, onProgress);
  }
}

/** How often the names of several endpoints are resolved again, in milliseconds. */
const resolveMs = 5000;

function connectTo(endpoint: string | readonly string[]): { channel: Channel; owned: AsyncDisposable } {
  if (typeof endpoint === "string") {
    const channel = connect(endpoint);
    return { channel, owned: channel };
  }
  const hint = "name an endpoint that answers";
  const gateways = new Replicas({ name: "Graviton", addresses: endpoint, hint, resolveMs });
  return { channel: gateways.channel, owned: gateways };
}

function keyOf(key: Key | string): Key {
  return typeof key === "string" ? parseKey(key) : checkKey(key);
}
