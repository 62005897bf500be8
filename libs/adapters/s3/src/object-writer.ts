import { CopyObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { checkCall } from "@graviton/ports/call-options";
import type { Locator } from "@graviton/ports/locator";
import { objectExists, objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
import { AbandonedUploads } from "./abandoned-uploads.ts";
import type { S3Bucket } from "./bucket.ts";
import { isConnectionBroken, s3Error } from "./errors.ts";
import { partsMax, patienceMs } from "./limits.ts";
import { MultipartUpload } from "./multipart-upload.ts";
import { objectTooLarge } from "./object-errors.ts";
import { keyOf } from "./object-keys.ts";
import type { ObjectReader } from "./object-reader.ts";
import { partsBytesMax, partsOf } from "./parts.ts";
import { Patience } from "./patience.ts";
import { PutOutcome } from "./put-outcome.ts";
import { conditionOf, type PutTarget, putTarget, refusalOf } from "./put-target.ts";

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
  /** How long to look for an object that S3 may be making still, in milliseconds. */
  readonly outcomeMsMax: number;
}

/** Makes new versions of objects. S3 shows each once it is whole. Locators are checked by then. */
export class ObjectWriter implements AsyncDisposable {
  readonly #bucket: S3Bucket;
  readonly #reader: ObjectReader;
  readonly #sizes: ObjectSizes;
  readonly #outcome: PutOutcome;
  readonly #abandoned: AbandonedUploads;

  constructor({ bucket, reader, sizes, outcomeMsMax }: ObjectWriterParts) {
    this.#bucket = bucket;
    this.#reader = reader;
    this.#sizes = sizes;
    this.#outcome = new PutOutcome({ reader, outcomeMsMax });
    this.#abandoned = new AbandonedUploads(bucket);
  }

  /** Stores the stream; what its source throws passes as it is. */
  async put(
    locator: Locator,
    bytes: AsyncIterable<Uint8Array>,
    ifAbsent: boolean,
    signal?: AbortSignal,
  ): Promise<ObjectInfo> {
    const target = putTarget(this.#bucket.prefix, locator, ifAbsent);
    const parts = partsOf(bytes, this.#sizes.partBytes);
    try {
      const begun = await firstOf(parts, 2);
      if (begun.length < 2) return await this.#putOne(target, begun[0] ?? Buffer.alloc(0), signal);
      return await this.#putParts(target, resumed(begun, parts), signal);
    } finally {
      await parts.return();
    }
  }

  /** Stores what is at `from`; NOT_FOUND when there is nothing. */
  async copy(from: ObjectInfo, to: Locator, signal?: AbortSignal): Promise<ObjectInfo> {
    const target = putTarget(this.#bucket.prefix, to, false);
    const source = sourceOf(this.#bucket, from.locator);
    if (from.size > this.#sizes.copyBytesMax) return this.#copyParts(from, source, target, signal);
    const command = new CopyObjectCommand({
      Bucket: this.#bucket.name,
      Key: target.key,
      CopySource: source,
      MetadataDirective: "REPLACE",
      Metadata: target.metadata,
    });
    const answer = await this.#bucket.find(command, signal);
    if (answer === undefined) throw objectNotFound(from.locator);
    return this.#outcome.ofRequest(target, { etag: answer.CopyObjectResult?.ETag }, from.size, signal);
  }

  /** Removes what is there, if anything is. */
  async remove(locator: Locator, signal?: AbortSignal): Promise<void> {
    await this.#bucket.remove(keyOf(this.#bucket.prefix, locator), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#abandoned[Symbol.asyncDispose]();
  }

  async #putOne(target: PutTarget, bytes: Buffer, signal?: AbortSignal): Promise<ObjectInfo> {
    const { key, metadata, ifAbsent } = target;
    const input = { Bucket: this.#bucket.name, Key: key, Body: bytes, Metadata: metadata, ...conditionOf(target) };
    const answer = await this.#bucket.answerInTheEnd(
      () => new PutObjectCommand(input),
      signal,
      (error) => {
        const refusal = refusalOf(target, error);
        if (refusal !== undefined) return { refusal };
        // An S3 that refuses a large body before it has read it may break the connection, and its refusal is lost.
        return ifAbsent && isConnectionBroken(error) ? { refusal: s3Error(error) } : undefined;
      },
    );
    const said = "refusal" in answer ? answer : { etag: answer.ETag };
    return this.#outcome.ofRequest(target, said, bytes.length, signal);
  }

  #putParts(target: PutTarget, parts: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<ObjectInfo> {
    return this.#inParts(target, signal, async (upload) => {
      let size = 0;
      let count = 0;
      for await (const part of parts) {
        size += part.length;
        count += 1;
        if (count > partsMax) throw objectTooLarge(target.locator, partsBytesMax(this.#sizes.partBytes));
        await upload.add(part);
      }
      return size;
    });
  }

  #copyParts({ size, etag }: ObjectInfo, source: string, target: PutTarget, signal?: AbortSignal): Promise<ObjectInfo> {
    return this.#inParts(target, signal, async (upload) => {
      const { copyPartBytes } = this.#sizes;
      for (let start = 0; start < size; start += copyPartBytes) {
        await upload.copy({ source, etag }, { start, end: Math.min(size, start + copyPartBytes) });
      }
      return size;
    });
  }

  /** @param fill adds all parts and resolves to their size; when it fails nothing is left of them */
  async #inParts(
    target: PutTarget,
    signal: AbortSignal | undefined,
    fill: (upload: MultipartUpload) => Promise<number>,
  ): Promise<ObjectInfo> {
    void this.#abandoned.removeDaily();
    using patience = new Patience(signal, patienceMs);
    const upload = await MultipartUpload.begin(this.#bucket, target, patience);
    try {
      checkCall({ signal });
      const size = await fill(upload);
      const before = await this.#reader.look(target.locator, signal);
      if (target.ifAbsent && before !== undefined) throw objectExists(target.locator);
      checkCall({ signal });
      return await this.#outcome.ofUpload(target, await upload.complete(), before, size, signal);
    } catch (error) {
      await upload.abandon();
      throw error;
    }
  }
}

/** An object as S3 wants it named to copy it. */
function sourceOf({ name, prefix }: S3Bucket, locator: Locator): string {
  return [name, ...keyOf(prefix, locator).split("/")].map(encodeURIComponent).join("/");
}

/** The first so many parts, or all of fewer. */
async function firstOf(parts: AsyncIterator<Buffer, void>, count: number): Promise<Buffer[]> {
  const first: Buffer[] = [];
  while (first.length < count) {
    const step = await parts.next();
    if (step.done) break;
    first.push(step.value);
  }
  return first;
}

/** The whole stream again. What was taken from its beginning is let go of as it is given. */
async function* resumed(begun: Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  while (begun.length > 0) yield* begun.splice(0, 1);
  yield* rest;
}
