import { crc32 } from "node:zlib";
import { HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { BlockDriver } from "@graviton/ports/block-store";
import type { Key } from "@graviton/ports/key";
import { hasReason } from "@graviton/ports/storage-error";
import { readBody } from "./body.ts";
import type { S3Bucket } from "./bucket.ts";
import { absence, isConnectionBroken, isPreconditionFailed, refusesCondition } from "./errors.ts";
import { blockReadsMax, blocksAtOnce, offersAgainMax, questionsAtOnce } from "./limits.ts";
import { hashedAs } from "./payload-hash.ts";

/**
 * One S3 object per block, `<prefix>blocks/<algorithm>/<first two digits of the digest>/<digest>-<size>`, and nothing
 * else: the keys are the index.
 */
export class S3BlockDriver implements BlockDriver {
  readonly concurrency = blocksAtOnce;
  readonly #bucket: S3Bucket;
  readonly #close: () => Promise<void>;
  /** Whether this S3 refuses to write over what is there; undefined until a block that is there was offered again. */
  #heedsConditions: boolean | undefined;
  #offersAgain = 0;
  /** A guess at what the next block will be, for all calls together: a wrong one costs a request. */
  #lastWasThere = false;

  /** @param close called on dispose, by a driver that owns its bucket to dispose of it */
  constructor(bucket: S3Bucket, close: () => Promise<void> = async () => {}) {
    this.#bucket = bucket;
    this.#close = close;
  }

  /** An object of the wrong size is no block. */
  async has(keys: readonly Key[], signal?: AbortSignal): Promise<boolean[]> {
    const failed = new AbortController();
    const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const found: boolean[] = [];
    const unasked = keys.entries();
    const ask = async () => {
      for (const [index, key] of unasked) found[index] = await this.#has(key, either);
    };
    const asking = Array.from({ length: Math.min(questionsAtOnce, keys.length) }, ask);
    try {
      await Promise.all(asking);
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(asking);
      throw error;
    }
    if (found.includes(false)) await this.#bucket.expectThere(signal);
    return found;
  }

  /** Again when the connection breaks midway: blocks are small enough to be read from the start. */
  async read(key: Key, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const body = await this.#bucket.body({ Key: this.#keyOf(key) }, signal);
      if (body === undefined) return undefined;
      try {
        // One byte more than there should be, so that an object that grew is not taken for the block.
        return await readBody(body, key.size + 1, signal);
      } catch (error) {
        if (attempt === blockReadsMax || !hasReason(error, "UNAVAILABLE")) throw error;
      }
    }
  }

  async write(key: Key, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#bucket.answerInTheEnd(
      () => this.#putCommand(key, bytes),
      signal,
      () => undefined,
    );
  }

  /**
   * One request for a block that follows a new one: a write on the condition that it is not there. After one that was
   * there presence is asked for first, which spares S3 the bytes of many that are. So it is too until this S3 was seen to
   * heed conditions, since some take them and write all the same, and others refuse them.
   */
  async add(key: Key, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean> {
    const expectsNew = this.#heedsConditions && !this.#lastWasThere;
    if (expectsNew && (await this.#addOnCondition(key, bytes, signal)) === "added") return true;
    // What is there may be of another size, and no block.
    const [present = false] = await this.has([key], signal);
    this.#lastWasThere = present;
    if (present) return false;
    await this.write(key, bytes, signal);
    if (this.#heedsConditions === undefined && this.#offersAgain < offersAgainMax) {
      await this.#offerAgain(key, bytes, signal);
    }
    return true;
  }

  async remove(key: Key, signal?: AbortSignal): Promise<void> {
    await this.#bucket.remove(this.#keyOf(key), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  async #has(key: Key, signal: AbortSignal): Promise<boolean> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket.name, Key: this.#keyOf(key) });
    const answer = await this.#bucket.answer(command, signal, absence);
    return typeof answer !== "string" && answer.ContentLength === key.size;
  }

  /** Offers a block that is there on the condition that it is not. It is stored, whatever becomes of that. */
  async #offerAgain(key: Key, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    this.#offersAgain += 1;
    const answer = await this.#addOnCondition(key, bytes, signal).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      return "unclear";
    });
    if (answer !== "unclear") this.#heedsConditions = answer === "there";
  }

  async #addOnCondition(key: Key, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<Addition> {
    const command = () => this.#putCommand(key, bytes, "*");
    const answer = await this.#bucket.answerInTheEnd(command, signal, whyNotAdded);
    return typeof answer === "string" ? answer : "added";
  }

  /** With what S3 needs to tell whether the bytes arrived as they are, without hashing once more what already is. */
  #putCommand(key: Key, bytes: Uint8Array, IfNoneMatch?: "*"): PutObjectCommand {
    const input = { Bucket: this.#bucket.name, Key: this.#keyOf(key), IfNoneMatch };
    if (key.algorithm === "sha256") return new PutObjectCommand({ ...input, Body: hashedAs(bytes, key.digest) });
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(bytes));
    const Body = hashedAs(bytes, "UNSIGNED-PAYLOAD");
    return new PutObjectCommand({ ...input, Body, ChecksumCRC32: checksum.toString("base64") });
  }

  #keyOf({ algorithm, digest, size }: Key): string {
    return `${this.#bucket.prefix}blocks/${algorithm}/${digest.slice(0, 2)}/${digest}-${size}`;
  }
}

/** What became of a block that was to be added on the condition that it is not there. */
type Addition = "added" | "there" | "refused" | "unclear";

function whyNotAdded(error: unknown): Exclude<Addition, "added"> | undefined {
  if (isPreconditionFailed(error)) return "there";
  if (isConnectionBroken(error)) return "unclear";
  return refusesCondition(error) ? "refused" : undefined;
}
