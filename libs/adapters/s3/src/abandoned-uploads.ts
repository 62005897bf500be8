import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
} from "@aws-sdk/client-s3";
import type { S3Bucket } from "./bucket.ts";
import { isUploadGone } from "./errors.ts";
import { abandonedMsMin, abandonedPagesMax } from "./limits.ts";
import { objectsIn, writtenKey } from "./object-keys.ts";

/** Where a page of uploads begins; at the first one when undefined. */
type Marker = { readonly KeyMarker: string; readonly UploadIdMarker: string | undefined } | undefined;

/**
 * The uploads in parts that nobody will end: a crash leaves one, and a put that was not told how its upload ended. S3 keeps
 * their parts, and shows them to nobody. MinIO lists none here, and removes them itself.
 */
export class AbandonedUploads implements AsyncDisposable {
  readonly #bucket: S3Bucket;
  readonly #now: () => number;
  readonly #stop = new AbortController();
  #begunAt = Number.NEGATIVE_INFINITY;
  #removing = Promise.resolve();

  /** @param now the clock, in milliseconds since 1970 */
  constructor(bucket: S3Bucket, now: () => number = Date.now) {
    this.#bucket = bucket;
    this.#now = now;
  }

  /** As {@link remove}, unless that was begun within the last day. Never fails: what stays costs space for another day. */
  removeDaily(): Promise<void> {
    const now = this.#now();
    if (now - this.#begunAt >= abandonedMsMin) {
      this.#begunAt = now;
      this.#removing = this.#removing.then(() => this.remove()).catch(() => {});
    }
    return this.#removing;
  }

  /** Removes those of objects that began a day ago. */
  async remove(): Promise<void> {
    let marker: Marker;
    for (let page = 0; page < abandonedPagesMax; page += 1) {
      const { uploads, next } = await this.#list(marker);
      for (const { key, id, begun } of uploads) {
        if (this.#now() - begun >= abandonedMsMin) await this.#remove(key, id);
      }
      if (next === undefined) return;
      marker = next;
    }
  }

  /** Breaks off what is being done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#removing;
  }

  async #list(marker: Marker) {
    const Prefix = objectsIn(this.#bucket.prefix);
    const input = { Bucket: this.#bucket.name, Prefix, EncodingType: "url" as const, ...marker };
    const page = await this.#bucket.send(new ListMultipartUploadsCommand(input), this.#stop.signal);
    // Not every S3 looks at the prefix.
    const uploads = uploadsIn(page).filter(({ key }) => key.startsWith(Prefix));
    return { uploads, next: markerAfter(page) };
  }

  async #remove(Key: string, UploadId: string | undefined): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.#bucket.name, Key, UploadId });
    await this.#bucket.answer(command, this.#stop.signal, (error) => (isUploadGone(error) ? "gone" : undefined));
  }
}

function uploadsIn({ Uploads = [], EncodingType }: ListMultipartUploadsCommandOutput) {
  return Uploads.map(({ Key = "", UploadId, Initiated }) => ({
    key: writtenKey(Key, EncodingType),
    id: UploadId,
    begun: Initiated?.getTime() ?? Number.POSITIVE_INFINITY,
  }));
}

function markerAfter(page: ListMultipartUploadsCommandOutput): Marker {
  const { IsTruncated, NextKeyMarker, NextUploadIdMarker, EncodingType } = page;
  if (!IsTruncated || !NextKeyMarker) return undefined;
  return { KeyMarker: writtenKey(NextKeyMarker, EncodingType), UploadIdMarker: NextUploadIdMarker };
}
