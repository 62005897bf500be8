import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import {
  type $Command,
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  ListObjectsV2Command,
  S3Client,
  type S3ClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from "@aws-sdk/client-s3";
import { checkS3Config, type S3Config } from "./config.ts";
import { absence, isWriteConflict, s3Error } from "./errors.ts";
import { bucketSeenMs, conflictAttemptsMax, conflictPauseMs } from "./limits.ts";
import { payloadHashHeader } from "./payload-hash.ts";
import { Slots } from "./slots.ts";

/** A request of the driver. */
export type S3Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

/** What S3 answers to a request for an object's bytes. The body must be read to its end, or destroyed. */
export interface S3Body {
  readonly stream: Readable;
  /** Bytes of this body. */
  readonly size: number;
  /** The first byte of the object that is in it. */
  readonly offset: number;
  readonly etag: string | undefined;
}

/**
 * One bucket of one S3, or the part of it below a prefix. All requests of a process to it go through here, so that
 * one number bounds them, and the connections.
 */
export class S3Bucket implements AsyncDisposable {
  /** The bucket's name, which every request carries. */
  readonly name: string;
  /** The beginning of every key. */
  readonly prefix: string;
  readonly #client: S3Client;
  readonly #requests: Slots;
  readonly #bodies: Slots;
  #seenAt = Number.NEGATIVE_INFINITY;

  private constructor(config: S3Config) {
    const { bucket, prefix, requestsMax, client } = checkS3Config(config);
    this.name = bucket;
    this.prefix = prefix;
    this.#client = new S3Client(client);
    this.#client.middlewareStack.add(
      (next) => (args) => {
        Object.assign((args.request as { headers: object }).headers, payloadHashHeader(args.input));
        return next(args);
      },
      { step: "build", name: "payloadHash" },
    );
    this.#requests = new Slots(requestsMax);
    // Readers may be slow; half of the connections stay for requests that are soon over.
    this.#bodies = new Slots(Math.floor(requestsMax / 2));
  }

  /**
   * Opens a bucket without a word to S3, so that a process can start before its S3 does: {@link check} tells whether
   * it is there.
   *
   * @throws StorageError INVALID_ARGUMENT for a configuration that no S3 could be reached with
   */
  static open(config: S3Config): S3Bucket {
    return new S3Bucket(config);
  }

  /**
   * Asks for the bucket, with a request that S3 also answers where it has no such bucket or refuses the credentials
   * (to a HEAD it says no more than "not found").
   *
   * @throws StorageError UNAVAILABLE that says what to do; EXHAUSTED
   */
  async check(signal?: AbortSignal): Promise<void> {
    await this.send(new ListObjectsV2Command({ Bucket: this.name, Prefix: this.prefix, MaxKeys: 1 }), signal);
    this.#seenAt = performance.now();
  }

  /**
   * To be called before "not found" is taken for the absence of an object, where nobody said what was not found.
   *
   * @throws StorageError as {@link check}
   */
  async expectThere(signal?: AbortSignal): Promise<void> {
    if (performance.now() - this.#seenAt > bucketSeenMs) await this.check(signal);
  }

  /** Sends a request whose answer has no body to read. What S3 or the network refuses is thrown as {@link s3Error} says. */
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: S3Command<Input, Output>,
    signal?: AbortSignal,
  ): Promise<Output> {
    return this.answer(command, signal, () => undefined) as Promise<Output>;
  }

  /**
   * As {@link send}, where some refusals are answers: those that `expected` makes one of.
   *
   * @param expected gives the answer that an error of the driver is, or undefined
   */
  async answer<Input extends ServiceInputTypes, Output extends ServiceOutputTypes, Answer>(
    command: S3Command<Input, Output>,
    signal: AbortSignal | undefined,
    expected: (error: unknown) => Answer | undefined,
  ): Promise<Output | Answer> {
    const give = await this.#requests.take(signal);
    try {
      return await this.#client.send(command, signal && { abortSignal: signal });
    } catch (error) {
      const answer = signal?.aborted ? undefined : expected(error);
      if (answer !== undefined) return answer;
      throw s3Error(error, signal);
    } finally {
      give();
    }
  }

  /** Sends a request about one object; undefined where there is no such object. */
  async find<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: S3Command<Input, Output>,
    signal?: AbortSignal,
  ): Promise<Output | undefined> {
    const answer = await this.answer(command, signal, absence);
    if (answer === "unclear") await this.expectThere(signal);
    return typeof answer === "string" ? undefined : answer;
  }

  /** Removes an object, if it is there. */
  async remove(Key: string, signal?: AbortSignal): Promise<void> {
    await this.find(new DeleteObjectCommand({ Bucket: this.name, Key }), signal);
  }

  /** Sends a request that may meet a concurrent one, and then again. */
  async answerInTheEnd<Input extends ServiceInputTypes, Output extends ServiceOutputTypes, Answer>(
    command: () => S3Command<Input, Output>,
    signal: AbortSignal | undefined,
    expected: (error: unknown) => Answer | undefined,
  ): Promise<Output | Answer> {
    for (let attempt = 1; attempt < conflictAttemptsMax; attempt += 1) {
      const answer = await this.answer(command(), signal, (error) => (isWriteConflict(error) ? met : expected(error)));
      if (answer !== met) return answer as Output | Answer;
      await setTimeout(Math.random() * conflictPauseMs * 2 ** attempt);
    }
    return this.answer(command(), signal, expected);
  }

  /**
   * Asks for the bytes of an object; undefined where there is no such object. The connection is free again once the body is
   * read, broken or destroyed.
   *
   * @param expected as for {@link answer}
   */
  async body<Answer = never>(
    input: Omit<GetObjectCommandInput, "Bucket">,
    signal: AbortSignal | undefined,
    expected: (error: unknown) => Answer | undefined = () => undefined,
  ): Promise<S3Body | Answer | undefined> {
    const held = [await this.#bodies.take(signal)];
    const give = () => {
      for (const slot of held) slot();
    };
    try {
      held.push(await this.#requests.take(signal));
      const command = new GetObjectCommand({ ...input, Bucket: this.name });
      const {
        Body,
        ContentLength = 0,
        ContentRange,
        ETag,
      } = await this.#client.send(command, {
        ...(signal && { abortSignal: signal }),
      });
      const stream = Body as Readable;
      stream.once("close", give);
      // An error that comes while nobody reads is seen by the next one who does.
      stream.on("error", () => {});
      return { stream, size: ContentLength, offset: firstByteOf(ContentRange), etag: ETag };
    } catch (error) {
      give();
      if (signal?.aborted) throw s3Error(error, signal);
      const answer = expected(error);
      if (answer !== undefined) return answer;
      const absent = absence(error);
      if (absent === undefined) throw s3Error(error, signal);
      if (absent === "unclear") await this.expectThere(signal);
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }
}

const met = Symbol("a concurrent write");

/** Of `bytes 100-199/1000` the 100; of no range 0. */
function firstByteOf(range: string | undefined): number {
  return Number(/^bytes (\d+)-/.exec(range ?? "")?.[1] ?? 0);
}
