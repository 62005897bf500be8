import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { checkCall } from "@graviton/ports/call-options";
import { objectExists } from "@graviton/ports/object-errors";
import type { ObjectInfo } from "@graviton/ports/object-store";
import { outcomePauseMs, outcomePauseMsMax } from "./limits.ts";
import { outcomeUnknown, uploadGone } from "./object-errors.ts";
import { type FoundObject, type ObjectReader, plainEtag, wholeSeconds } from "./object-reader.ts";
import { isPut, type PutTarget } from "./put-target.ts";

/** What S3 said to a request that was to store an object: its etag, or what to fail with unless it is there all the same. */
export type PutAnswer = { readonly etag: string | undefined } | { readonly refusal: unknown };

/** How an upload in parts ended. */
export interface UploadEnd {
  readonly answer: PutAnswer;
  /** False where an answer was lost, so that S3 may be at it still, whatever it said since. */
  readonly sure: boolean;
}

/** What a {@link PutOutcome} stands on. */
export interface PutOutcomeParts {
  readonly reader: ObjectReader;
  /** How long to look for an object that S3 may be making still, in milliseconds. */
  readonly outcomeMsMax: number;
}

/**
 * Finds out what became of puts. Answers get lost; the driver asks again, and S3 refuses what it has already done, or calls
 * done what it is still at. The mark of the object that is there tells.
 */
export class PutOutcome {
  readonly #reader: ObjectReader;
  readonly #outcomeMsMax: number;

  constructor({ reader, outcomeMsMax }: PutOutcomeParts) {
    this.#reader = reader;
    this.#outcomeMsMax = outcomeMsMax;
  }

  /** What head tells of an object that one request was to store. */
  async ofRequest(target: PutTarget, answer: PutAnswer, size: number, signal?: AbortSignal): Promise<ObjectInfo> {
    const found = await this.#reader.look(target.locator, signal);
    if (isPut(target, found)) return found.info;
    const refused = "refusal" in answer && target.ifAbsent && found !== undefined;
    if (refused) throw objectExists(target.locator, answer.refusal);
    return this.#unseen(target, answer, size);
  }

  /**
   * What head tells of an object that an upload was to become.
   *
   * @param before what was there before the upload ended
   */
  async ofUpload(
    target: PutTarget,
    { answer, sure }: UploadEnd,
    before: FoundObject | undefined,
    size: number,
    signal?: AbortSignal,
  ): Promise<ObjectInfo> {
    const found = sure ? await this.#reader.look(target.locator, signal) : await this.#wait(target, signal);
    if (isPut(target, found)) return found.info;
    if (!sure) throw outcomeUnknown(target.locator, "refusal" in answer ? answer.refusal : undefined);
    // Some S3s call an upload done that they do not know any more, where there is any object.
    if ("etag" in answer && found !== undefined && isDeepStrictEqual(found, before)) throw uploadGone(target.locator);
    return this.#unseen(target, answer, size);
  }

  /** Looks again and again for the object. */
  async #wait(target: PutTarget, signal: AbortSignal | undefined): Promise<FoundObject | undefined> {
    const giveUpAt = performance.now() + this.#outcomeMsMax;
    for (let pauseMs = outcomePauseMs; ; pauseMs = Math.min(2 * pauseMs, outcomePauseMsMax)) {
      const found = await this.#reader.look(target.locator, signal);
      if (isPut(target, found) || performance.now() + pauseMs > giveUpAt) return found;
      await setTimeout(pauseMs, undefined, { signal }).catch(() => checkCall({ signal }));
    }
  }

  /** Of an object that is not there: S3 did not store it, or somebody has replaced or removed it since. */
  #unseen({ locator }: PutTarget, answer: PutAnswer, size: number): ObjectInfo {
    if ("refusal" in answer) throw answer.refusal;
    return { locator, size, modifiedAt: wholeSeconds(new Date()), etag: plainEtag(answer.etag) };
  }
}
