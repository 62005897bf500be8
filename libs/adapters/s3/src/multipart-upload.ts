import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import type { ByteSpan } from "@graviton/ports/byte-range";
import type { S3Bucket } from "./bucket.ts";
import { isPreconditionFailed, isUploadGone } from "./errors.ts";
import { abandonMsMax, partsAtOnce } from "./limits.ts";
import type { Patience } from "./patience.ts";

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
  readonly #target: { readonly Bucket: string; readonly Key: string; readonly UploadId: string };
  readonly #patience: Patience;
  readonly #onTheirWay = new Set<Promise<void>>();
  readonly #etags: string[] = [];
  #count = 0;

  private constructor(bucket: S3Bucket, key: string, uploadId: string, patience: Patience) {
    this.#bucket = bucket;
    this.#target = { Bucket: bucket.name, Key: key, UploadId: uploadId };
    this.#patience = patience;
  }

  /** @param patience the caller's, with what is on its way */
  static async begin(
    bucket: S3Bucket,
    key: string,
    metadata: Record<string, string>,
    patience: Patience,
  ): Promise<MultipartUpload> {
    const command = new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: key, Metadata: metadata });
    const { UploadId = "" } = await bucket.send(command, patience.signal);
    return new MultipartUpload(bucket, key, UploadId, patience);
  }

  /** Resolves once there is room for a further part. The bytes belong to the upload. */
  add(bytes: Uint8Array): Promise<void> {
    return this.#start(async (part) => {
      const command = new UploadPartCommand({ ...this.#target, ...part, Body: bytes });
      return (await this.#bucket.send(command, this.#patience.signal)).ETag;
    });
  }

  /** As {@link add}, of bytes that S3 has. */
  copy({ source, etag }: CopySource, { start, end }: ByteSpan): Promise<void> {
    return this.#start(async (part) => {
      const command = new UploadPartCopyCommand({
        ...this.#target,
        ...part,
        CopySource: source,
        CopySourceRange: `bytes=${start}-${end - 1}`,
        CopySourceIfMatch: `"${etag}"`,
      });
      return (await this.#bucket.send(command, this.#patience.signal)).CopyPartResult?.ETag;
    });
  }

  /**
   * Makes the parts an object.
   *
   * @returns its etag; `"exists"` when there is one already that the condition forbids; `"gone"` when S3 does not know
   * the upload any more, perhaps because it is complete and only the answer to that was lost
   */
  async complete(condition: { readonly IfNoneMatch?: string }): Promise<{ etag: string } | "exists" | "gone"> {
    await Promise.all(this.#onTheirWay);
    const parts = this.#etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    const command = new CompleteMultipartUploadCommand({
      ...this.#target,
      ...condition,
      MultipartUpload: { Parts: parts },
    });
    const answer = await this.#bucket.answer(command, this.#patience.signal, (error) => {
      if (isPreconditionFailed(error)) return "exists";
      return isUploadGone(error) ? "gone" : undefined;
    });
    return typeof answer === "string" ? answer : { etag: answer.ETag ?? "" };
  }

  /** Removes what S3 has of it. Never fails: what stays behind costs space until the bucket's own rules remove it. */
  async abandon(): Promise<void> {
    this.#patience.lose();
    await Promise.allSettled(this.#onTheirWay);
    const command = new AbortMultipartUploadCommand(this.#target);
    await this.#bucket.send(command, AbortSignal.timeout(abandonMsMax)).catch(() => {});
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
