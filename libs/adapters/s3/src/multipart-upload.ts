import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import type { ByteSpan } from "@graviton/ports/byte-range";
import type { S3Bucket } from "./bucket.ts";
import { attemptsOf, isAnswerLost, isServersFault, isUploadGone, s3Error } from "./errors.ts";
import { abandonMsMax, partsAtOnce } from "./limits.ts";
import type { Patience } from "./patience.ts";
import type { PutAnswer, UploadEnd } from "./put-outcome.ts";
import { conditionOf, type PutTarget, refusalOf } from "./put-target.ts";

/** The object that a part is copied from. */
export interface CopySource {
  /** As S3 wants it: the bucket and the key, escaped. */
  readonly source: string;
  /** The version that all parts must be of. */
  readonly etag: string;
}

/**
 * One object on its way in parts, a bounded number of them at once. Ends by {@link complete} or {@link abandon}.
 *
 * A request that is broken off may still arrive, and leave a part, or a whole upload, that nobody knows of. So a caller
 * who gives up waits a moment for what is on its way, and then what arrived is removed.
 */
export class MultipartUpload {
  readonly #bucket: S3Bucket;
  readonly #target: PutTarget;
  readonly #upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string };
  readonly #patience: Patience;
  readonly #onTheirWay = new Set<Promise<void>>();
  readonly #etags: string[] = [];
  #count = 0;
  /** Whether S3 may be making an object of the parts. */
  #undecided = false;

  private constructor(bucket: S3Bucket, target: PutTarget, uploadId: string, patience: Patience) {
    this.#bucket = bucket;
    this.#target = target;
    this.#upload = { Bucket: bucket.name, Key: target.key, UploadId: uploadId };
    this.#patience = patience;
  }

  /** @param patience the caller's, with what is on its way */
  static async begin(bucket: S3Bucket, target: PutTarget, patience: Patience): Promise<MultipartUpload> {
    const { key, metadata } = target;
    const command = new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: key, Metadata: metadata });
    const { UploadId = "" } = await bucket.send(command, patience.signal);
    return new MultipartUpload(bucket, target, UploadId, patience);
  }

  /** Resolves once there is room for a further part. The bytes belong to the upload. */
  add(bytes: Uint8Array): Promise<void> {
    return this.#start(async (part) => {
      const command = new UploadPartCommand({ ...this.#upload, ...part, Body: bytes });
      return (await this.#bucket.send(command, this.#patience.signal)).ETag;
    });
  }

  /** As {@link add}, of bytes that S3 has. */
  copy({ source, etag }: CopySource, { start, end }: ByteSpan): Promise<void> {
    return this.#start(async (part) => {
      const command = new UploadPartCopyCommand({
        ...this.#upload,
        ...part,
        CopySource: source,
        CopySourceRange: `bytes=${start}-${end - 1}`,
        CopySourceIfMatch: `"${etag}"`,
      });
      return (await this.#bucket.send(command, this.#patience.signal)).CopyPartResult?.ETag;
    });
  }

  /** Makes the parts an object, on the condition of the put. */
  async complete(): Promise<UploadEnd> {
    await Promise.all(this.#onTheirWay);
    const parts = this.#etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    const condition = conditionOf(this.#target);
    const command = new CompleteMultipartUploadCommand({
      ...this.#upload,
      ...condition,
      MultipartUpload: { Parts: parts },
    });
    this.#undecided = true;
    const said = await this.#bucket.answer(command, this.#patience.signal, (error) => ({ error }));
    const end = "error" in said ? said.error : said;
    this.#undecided = mayBeAtIt(end);
    return { answer: "error" in said ? this.#refusal(said.error) : { etag: said.ETag }, sure: isOver(end) };
  }

  /**
   * Removes what S3 has of it, unless S3 may be making an object of that: some would lose the object with its parts. Never
   * fails. What stays behind becomes an abandoned upload.
   */
  async abandon(): Promise<void> {
    this.#patience.lose();
    await Promise.allSettled(this.#onTheirWay);
    if (this.#undecided) return;
    const command = new AbortMultipartUploadCommand(this.#upload);
    await this.#bucket.send(command, AbortSignal.timeout(abandonMsMax)).catch(() => {});
  }

  #refusal(error: unknown): PutAnswer {
    return { refusal: refusalOf(this.#target, error) ?? s3Error(error) };
  }

  async #start(send: (part: { readonly PartNumber: number }) => Promise<string | undefined>): Promise<void> {
    const index = this.#count;
    this.#count += 1;
    const sending = send({ PartNumber: index + 1 }).then((etag) => {
      this.#etags[index] = etag ?? "";
      this.#onTheirWay.delete(sending);
    });
    // One that fails stays, and whoever waits for it next is told.
    sending.catch(() => {});
    this.#onTheirWay.add(sending);
    while (this.#onTheirWay.size >= partsAtOnce) await Promise.race(this.#onTheirWay);
  }
}

/** Whether S3 is done with the upload. Where an answer was lost it may be at it, and call it done or unknown meanwhile. */
function isOver(end: unknown): boolean {
  if (isAnswerLost(end)) return false;
  return attemptsOf(end) === 1 || (Error.isError(end) && !isUploadGone(end));
}

/** Also where the last answer is only that S3 cannot be asked just now: an earlier one may be lost. */
function mayBeAtIt(end: unknown): boolean {
  return !isOver(end) || (attemptsOf(end) > 1 && isServersFault(end));
}
