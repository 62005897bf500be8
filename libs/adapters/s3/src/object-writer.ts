import { randomUUID } from "node:crypto";
import { CopyObjectCommand, DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { checkCall } from "@graviton/ports/call-options";
import type { Locator } from "@graviton/ports/locator";
import { objectExists, objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
import { StorageError } from "@graviton/ports/storage-error";
import type { S3Bucket } from "./bucket.ts";
import { isAbsent, isPreconditionFailed } from "./errors.ts";
import { partsMax, patienceMs } from "./limits.ts";
import { MultipartUpload } from "./multipart-upload.ts";
import { objectTooLarge } from "./object-errors.ts";
import { keyOf, metadataOf } from "./object-keys.ts";
import { type ObjectReader, plainEtag, wholeSeconds } from "./object-reader.ts";
import { partsBytesMax, partsOf } from "./parts.ts";
import { Patience } from "./patience.ts";

/** Sizes from which an object moves in several requests, in bytes. */
export interface ObjectSizes {
  /** The largest that is put in one request, and the first part of a larger one; 5 MiB or more. */
  readonly partBytes: number;
  /** The largest that is copied in one request. */
  readonly copyBytesMax: number;
  /** Bytes that one request copies of a larger one; 5 MiB or more. */
  readonly copyPartBytes: number;
}

/** What an {@link ObjectWriter} stands on. */
export interface ObjectWriterParts {
  readonly bucket: S3Bucket;
  readonly reader: ObjectReader;
  readonly sizes: ObjectSizes;
  /** The clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** One object to come. */
interface Target {
  readonly locator: Locator;
  readonly key: string;
  readonly metadata: Record<string, string>;
  readonly ifAbsent: boolean;
}

/** An object is there, with this etag; or there was one that may not be replaced. */
type Outcome = { readonly etag: string } | "exists";

/** Makes new versions of objects. S3 shows each once it is whole. Locators are checked by then. */
export class ObjectWriter {
  readonly #bucket: S3Bucket;
  readonly #reader: ObjectReader;
  readonly #sizes: ObjectSizes;
  readonly #now: () => number;

  constructor({ bucket, reader, sizes, now }: ObjectWriterParts) {
    this.#bucket = bucket;
    this.#reader = reader;
    this.#sizes = sizes;
    this.#now = now;
  }

  /** Stores the stream; what its source throws passes as it is. */
  async put(
    locator: Locator,
    bytes: AsyncIterable<Uint8Array>,
    ifAbsent: boolean,
    signal?: AbortSignal,
  ): Promise<ObjectInfo> {
    const target = this.#targetOf(locator, ifAbsent);
    const parts = partsOf(bytes, this.#sizes.partBytes);
    try {
      const first = await parts.next();
      const second = first.done ? first : await parts.next();
      if (second.done) return await this.#putOne(target, first.value ?? Buffer.alloc(0), signal);
      return await this.#putParts(target, [first.value as Buffer, second.value], parts, signal);
    } finally {
      await parts.return();
    }
  }

  /** Stores what is at `from`; NOT_FOUND when there is nothing. */
  async copy(from: ObjectInfo, to: Locator, signal?: AbortSignal): Promise<ObjectInfo> {
    const key = keyOf(this.#bucket.prefix, from.locator);
    const source = [this.#bucket.name, ...key.split("/")].map(encodeURIComponent).join("/");
    if (from.size > this.#sizes.copyBytesMax) return this.#copyParts(from, source, to, signal);
    const target = this.#targetOf(to, false);
    const command = new CopyObjectCommand({
      Bucket: this.#bucket.name,
      Key: target.key,
      CopySource: source,
      MetadataDirective: "REPLACE",
      Metadata: target.metadata,
    });
    const answer = await this.#bucket.answer(command, signal, (error) => (isAbsent(error) ? "absent" : undefined));
    if (answer === "absent") throw objectNotFound(from.locator);
    return this.#stored(target, { etag: answer.CopyObjectResult?.ETag ?? "" }, from.size, signal);
  }

  /** Removes what is there, if anything is. */
  async remove(locator: Locator, signal?: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket.name, Key: keyOf(this.#bucket.prefix, locator) });
    await this.#bucket.answer(command, signal, (error) => (isAbsent(error) ? "absent" : undefined));
  }

  async #putOne(target: Target, bytes: Buffer, signal?: AbortSignal): Promise<ObjectInfo> {
    const { key, metadata } = target;
    const input = { Bucket: this.#bucket.name, Key: key, Body: bytes, Metadata: metadata, ...conditionOf(target) };
    const answer = await this.#bucket.answerInTheEnd(
      () => new PutObjectCommand(input),
      signal,
      (error) => (isPreconditionFailed(error) ? ("exists" as const) : undefined),
    );
    const outcome = answer === "exists" ? answer : { etag: answer.ETag ?? "" };
    return this.#stored(target, outcome, bytes.length, signal);
  }

  #putParts(target: Target, first: readonly Buffer[], others: AsyncIterable<Buffer>, signal?: AbortSignal) {
    return this.#inParts(target, signal, async (upload) => {
      let size = 0;
      let count = 0;
      const add = (part: Buffer) => {
        size += part.length;
        count += 1;
        if (count > partsMax) throw objectTooLarge(target.locator, partsBytesMax(this.#sizes.partBytes));
        return upload.add(part);
      };
      for (const part of first) await add(part);
      for await (const part of others) await add(part);
      return size;
    });
  }

  #copyParts({ size, etag }: ObjectInfo, source: string, to: Locator, signal?: AbortSignal): Promise<ObjectInfo> {
    return this.#inParts(this.#targetOf(to, false), signal, async (upload) => {
      const { copyPartBytes } = this.#sizes;
      for (let start = 0; start < size; start += copyPartBytes) {
        await upload.copy({ source, etag }, { start, end: Math.min(size, start + copyPartBytes) });
      }
      return size;
    });
  }

  /** @param fill adds all parts and resolves to their size; when it fails nothing is left of them */
  async #inParts(
    target: Target,
    signal: AbortSignal | undefined,
    fill: (upload: MultipartUpload) => Promise<number>,
  ): Promise<ObjectInfo> {
    using patience = new Patience(signal, patienceMs);
    const upload = await MultipartUpload.begin(this.#bucket, target.key, target.metadata, patience);
    try {
      checkCall({ signal });
      const size = await fill(upload);
      checkCall({ signal });
      const outcome = await upload.complete(conditionOf(target));
      return await this.#stored(target, outcome, size, signal);
    } catch (error) {
      await upload.abandon();
      throw error;
    }
  }

  /** What head tells of what was stored. */
  async #stored(target: Target, outcome: Outcome | "gone", size: number, signal?: AbortSignal): Promise<ObjectInfo> {
    const { locator, metadata } = target;
    const found = await this.#reader.look(locator, signal);
    // An answer that was lost makes the driver ask again, and S3 refuse what it has already done.
    if (found !== undefined && found.metadata.put === metadata.put) return found.info;
    if (outcome === "exists") throw objectExists(locator);
    if (outcome === "gone") {
      throw new StorageError("CONFLICT", "S3 has lost the parts of an upload: put it again", { resource: "S3" });
    }
    // Somebody has replaced or removed it since.
    return { locator, size, modifiedAt: wholeSeconds(new Date(this.#now())), etag: plainEtag(outcome.etag) };
  }

  /** Each version has a mark of its own, by which the writer knows it again. */
  #targetOf(locator: Locator, ifAbsent: boolean): Target {
    const metadata = { ...metadataOf(locator), put: randomUUID() };
    return { locator, key: keyOf(this.#bucket.prefix, locator), metadata, ifAbsent };
  }
}

function conditionOf({ ifAbsent }: Target): { IfNoneMatch?: string } {
  return ifAbsent ? { IfNoneMatch: "*" } : {};
}
