import { type ByteRange, checkRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  checkLocator,
  checkLocatorPrefix,
  formatLocator,
  type Locator,
  type LocatorPrefix,
} from "@graviton/ports/locator";
import { objectExists } from "@graviton/ports/object-errors";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import type { S3Bucket } from "./bucket.ts";
import { copyBytesMaxDefault, copyingMsMax, copyPartBytesDefault, partBytesDefault } from "./limits.ts";
import { ListOrder } from "./list-order.ts";
import { listObjects } from "./object-list.ts";
import { ObjectReader } from "./object-reader.ts";
import { type ObjectSizes, ObjectWriter } from "./object-writer.ts";

/** What an {@link S3ObjectStore} does otherwise than usual. */
export interface S3ObjectStoreOptions extends Partial<ObjectSizes> {
  /** Called once after the last call has ended, by a store that owns its bucket to dispose of it. */
  readonly close?: () => Promise<void>;
  /** How long to look for an object that S3 may be making still, in milliseconds. */
  readonly outcomeMsMax?: number;
}

/**
 * One S3 object per object, all in the one bucket of the configuration: a locator's bucket is a part of the key, so
 * that nobody who names one makes one. `object-keys.ts` says how.
 *
 * With `ifAbsent` exactly one of several concurrent puts succeeds where S3 knows `If-None-Match`, as AWS, MinIO, SeaweedFS
 * and versitygw do. An S3 that refuses the condition makes such a put UNSUPPORTED; of one that takes it without heeding it
 * no more can be had than the look before the write. A read holds one version by holding its connection; one that
 * breaks after the object has changed ends with CONFLICT, never in bytes of another version.
 */
export class S3ObjectStore implements MutableObjectStore {
  readonly #bucket: S3Bucket;
  readonly #lifetime: Lifetime;
  readonly #order: ListOrder;
  readonly #reader: ObjectReader;
  readonly #writer: ObjectWriter;

  constructor(bucket: S3Bucket, options: S3ObjectStoreOptions = {}) {
    const { close, outcomeMsMax = copyingMsMax } = options;
    const sizes = {
      partBytes: options.partBytes ?? partBytesDefault,
      copyBytesMax: options.copyBytesMax ?? copyBytesMaxDefault,
      copyPartBytes: options.copyPartBytes ?? copyPartBytesDefault,
    };
    this.#bucket = bucket;
    this.#order = new ListOrder(bucket);
    this.#reader = new ObjectReader(bucket);
    this.#writer = new ObjectWriter({ bucket, reader: this.#reader, sizes, outcomeMsMax });
    this.#lifetime = new Lifetime("S3ObjectStore", async () => {
      await this.#writer[Symbol.asyncDispose]();
      await close?.();
    });
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => this.#reader.find(checkLocator(locator, "s3"), callSignal(options)));
  }

  list(prefix: LocatorPrefix, options: ObjectListOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#lifetime.stream(options, () => this.#list(prefix, options));
  }

  get(locator: Locator, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => {
      return this.#reader.get(checkLocator(locator, "s3"), checkRange(range), callSignal(options));
    });
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const target = checkLocator(locator, "s3");
      const signal = callSignal(options);
      const ifAbsent = options?.ifAbsent === true;
      // Spares the caller the upload.
      if (ifAbsent && (await this.#reader.look(target, signal)) !== undefined) throw objectExists(target);
      return this.#writer.put(target, abortable(bytes, signal), ifAbsent, signal);
    });
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      await this.#writer.remove(checkLocator(locator, "s3"), callSignal(options));
    });
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const [source, target] = [checkLocator(from, "s3"), checkLocator(to, "s3")];
      const signal = callSignal(options);
      const info = await this.#reader.find(source, signal);
      return formatLocator(source) === formatLocator(target) ? info : this.#writer.copy(info, target, signal);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#list(prefix: LocatorPrefix, options: ObjectListOptions): AsyncGenerator<ObjectInfo, void, void> {
    const { after, limit = Number.POSITIVE_INFINITY } = checkListOptions(options);
    const signal = callSignal(options);
    const checked = checkLocatorPrefix(prefix, "s3");
    let left = limit;
    const parts = { bucket: this.#bucket, reader: this.#reader, order: this.#order };
    for await (const info of listObjects({ ...parts, prefix: checked, after, limit, signal })) {
      yield info;
      left -= 1;
      if (left === 0) return;
    }
  }
}
