import { type ByteSpan, checkSpan, mergeSpan } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { Lifetime } from "@graviton/ports/lifetime";
import { spansPerLocatorMax } from "@graviton/ports/limits";
import { checkLocator, formatLocator, type Locator } from "@graviton/ports/locator";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { StorageError } from "@graviton/ports/storage-error";
import { LevelDatabase } from "./database.ts";
import { readSafeInteger, safeIntegerBytes, writeSafeInteger } from "./safe-integer.ts";
import { recordKey } from "./tables.ts";
import { put } from "./update.ts";

const spanBytes = 2 * safeIntegerBytes;

/** One record a locator: start and end of each span, 16 bytes a span. */
export class LevelRangeTracker implements RangeTracker {
  readonly #database: LevelDatabase;
  readonly #lifetime: Lifetime;

  /** @param close called once after the last call has ended, by a store that owns its database to dispose of it */
  constructor(database: LevelDatabase, close?: () => Promise<void>) {
    this.#database = database;
    this.#lifetime = new Lifetime("LevelRangeTracker", close);
  }

  /** Opens a database for this store alone, and closes it with the store. Throws what `LevelDatabase.open` throws. */
  static async open(folder: string): Promise<LevelRangeTracker> {
    const database = await LevelDatabase.open(folder);
    return new LevelRangeTracker(database, () => database[Symbol.asyncDispose]());
  }

  current(locator: Locator, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => decode(await this.#database.get(recordOf(locator))));
  }

  merge(locator: Locator, span: ByteSpan, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => {
      const { start, end } = checkSpan(span);
      const record = recordOf(locator);
      let spans: ByteSpan[] = [];
      await this.#database.update({
        reads: () => [record],
        changes: (read) => {
          spans = mergeSpan(decode(read(record)), { start, end });
          if (spans.length > spansPerLocatorMax) throw tooManySpans(locator);
          return [put(record, encode(spans))];
        },
      });
      return spans;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

function recordOf(locator: Locator): Buffer {
  return recordKey("spans", formatLocator(checkLocator(locator)));
}

function encode(spans: readonly ByteSpan[]): Buffer {
  const content = Buffer.allocUnsafe(spans.length * spanBytes);
  for (const [index, { start, end }] of spans.entries()) {
    writeSafeInteger(content, start, index * spanBytes);
    writeSafeInteger(content, end, index * spanBytes + safeIntegerBytes);
  }
  return content;
}

function decode(content: Buffer = Buffer.alloc(0)): ByteSpan[] {
  return Array.from({ length: content.length / spanBytes }, (_, index) => ({
    start: readSafeInteger(content, index * spanBytes),
    end: readSafeInteger(content, index * spanBytes + safeIntegerBytes),
  }));
}

function tooManySpans(locator: Locator): StorageError {
  const resource = formatLocator(locator);
  return new StorageError(
    "TOO_LARGE",
    `${resource} would have more spans than spansPerLocatorMax, ${spansPerLocatorMax}`,
    {
      resource,
    },
  );
}
