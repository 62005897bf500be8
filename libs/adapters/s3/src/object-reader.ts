import { HeadObjectCommand, type HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { type ByteRange, checkRange, resolveRange } from "@graviton/ports/byte-range";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import { objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
import { hasReason } from "@graviton/ports/storage-error";
import { framesOf } from "./body.ts";
import type { S3Body, S3Bucket } from "./bucket.ts";
import { isBeyondEnd, isPreconditionFailed } from "./errors.ts";
import { objectFrameBytes, resumesMax } from "./limits.ts";
import { objectChanged, otherRange } from "./object-errors.ts";
import { keyOf } from "./object-keys.ts";

/** What S3 tells of an object. */
export interface FoundObject {
  readonly info: ObjectInfo;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Finds objects and reads them. Locators are checked by then. */
export class ObjectReader {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  /** @throws StorageError NOT_FOUND */
  async find(locator: Locator, signal?: AbortSignal): Promise<ObjectInfo> {
    const found = await this.look(locator, signal);
    if (found === undefined) throw objectNotFound(locator);
    return found.info;
  }

  async look(locator: Locator, signal?: AbortSignal): Promise<FoundObject | undefined> {
    return this.lookAt(keyOf(this.#bucket.prefix, locator), locator, signal);
  }

  /** @param locator that the key is the key of, as far as is known */
  async lookAt(key: string, locator: Locator, signal?: AbortSignal): Promise<FoundObject | undefined> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket.name, Key: key });
    const found = await this.#bucket.find(command, signal);
    return found && { info: infoOf(locator, found), metadata: found.Metadata ?? {} };
  }

  /** Reads one version over one connection. Where that breaks it goes on, as long as the version is there. */
  async *get(locator: Locator, range: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    checkRange(range);
    let body = await this.#begin(locator, range, signal);
    if (body === undefined) return;
    const { etag } = body;
    const end = body.offset + body.size;
    let at = body.offset;
    for (let resumes = 0; ; resumes += 1) {
      try {
        for await (const frame of framesOf(body, objectFrameBytes, signal)) {
          at += frame.length;
          resumes = 0;
          yield frame;
        }
        return;
      } catch (error) {
        if (resumes === resumesMax || !hasReason(error, "UNAVAILABLE")) throw error;
      }
      body = await this.#resume(locator, { offset: at, length: end - at }, etag, signal);
    }
  }

  /** Undefined when the range has no bytes. */
  async #begin(locator: Locator, range: ByteRange, signal?: AbortSignal): Promise<S3Body | undefined> {
    if (range.length !== 0) {
      const body = await this.#body(locator, range, undefined, signal);
      if (body === undefined) throw objectNotFound(locator);
      if (typeof body === "object") return body;
    }
    const { size } = await this.find(locator, signal);
    const { start, end } = resolveRange(range, size, formatLocator(locator));
    // S3 found the range beyond the end; somebody has put a longer object since.
    return start === end ? undefined : this.#begin(locator, range, signal);
  }

  async #resume(locator: Locator, range: ByteRange, etag: string | undefined, signal?: AbortSignal): Promise<S3Body> {
    const body = await this.#body(locator, range, etag, signal);
    if (typeof body !== "object") throw objectChanged(locator);
    return body;
  }

  async #body(locator: Locator, range: ByteRange, etag: string | undefined, signal?: AbortSignal) {
    const input = { Key: keyOf(this.#bucket.prefix, locator), Range: headerOf(range), IfMatch: etag };
    const body = await this.#bucket.body(input, signal, (error) => {
      if (isPreconditionFailed(error)) return "changed";
      return isBeyondEnd(error) ? "beyond" : undefined;
    });
    if (typeof body === "object" && (body.offset !== range.offset || body.size > (range.length ?? body.size))) {
      body.stream.destroy();
      throw otherRange(locator);
    }
    return body;
  }
}

function headerOf({ offset, length }: ByteRange): string | undefined {
  const last = length === undefined ? Number.POSITIVE_INFINITY : offset + length - 1;
  if (last <= Number.MAX_SAFE_INTEGER) return `bytes=${offset}-${last}`;
  return offset === 0 ? undefined : `bytes=${offset}-`;
}

function infoOf(locator: Locator, { ContentLength = 0, LastModified, ETag }: HeadObjectCommandOutput): ObjectInfo {
  return { locator, size: ContentLength, modifiedAt: wholeSeconds(LastModified), etag: plainEtag(ETag) };
}

/** Some S3s are more exact in a listing than elsewhere; one object has one time. */
export function wholeSeconds(time: Date | undefined): number {
  return Math.floor((time?.getTime() ?? 0) / 1000) * 1000;
}

/** The etag without the quotes that HTTP puts around it. */
export function plainEtag(etag: string | undefined): string {
  return (etag ?? "").replace(/^"(.*)"$/, "$1");
}
