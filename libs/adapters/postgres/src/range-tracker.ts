import { type ByteSpan, checkSpan, mergeSpan } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { Lifetime } from "@graviton/ports/lifetime";
import { spansPerLocatorMax } from "@graviton/ports/limits";
import { checkLocator, formatLocator, type Locator } from "@graviton/ports/locator";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { StorageError } from "@graviton/ports/storage-error";
import { checkChecksum, checksumOf } from "./checksum.ts";
import type { PostgresDatabase } from "./database.ts";
import { decodeSpans, encodeSpans } from "./spans.ts";

interface RangeRow {
  readonly spans: Buffer;
  readonly checksum: number;
}

const select = "SELECT spans, checksum FROM ranges WHERE locator = $1";
const create = "INSERT INTO ranges (locator, spans, checksum) VALUES ($1, '', $2) ON CONFLICT DO NOTHING";
const update = "UPDATE ranges SET spans = $2, checksum = $3 WHERE locator = $1";

/** One row a locator. Whoever merges locks it first, so that merges into one locator take turns. */
export class PostgresRangeTracker implements RangeTracker {
  readonly #database: PostgresDatabase;
  readonly #lifetime: Lifetime;

  /** @param close called once after the last call has ended, by a tracker that owns its database to dispose of it */
  constructor(database: PostgresDatabase, close?: () => Promise<void>) {
    this.#database = database;
    this.#lifetime = new Lifetime("PostgresRangeTracker", close);
  }

  current(locator: Locator, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => {
      const text = formatLocator(checkLocator(locator));
      const { rows } = await this.#database.query<RangeRow>(select, [text], callSignal(options));
      return rows.flatMap((row) => spansOf(text, row));
    });
  }

  merge(locator: Locator, span: ByteSpan, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => {
      const text = formatLocator(checkLocator(locator));
      const { start, end } = checkSpan(span);
      return this.#database.transaction(callSignal(options), async (query) => {
        await query(create, [text, checksumOf(text, Buffer.alloc(0))]);
        const { rows } = await query<RangeRow>(`${select} FOR UPDATE`, [text]);
        const merged = mergeSpan(
          rows.flatMap((row) => spansOf(text, row)),
          { start, end },
        );
        if (merged.length > spansPerLocatorMax) throw tooManySpans(text, merged.length);
        const content = encodeSpans(merged);
        if (!rows[0]?.spans.equals(content)) await query(update, [text, content, checksumOf(text, content)]);
        return merged;
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

function spansOf(text: string, { spans, checksum }: RangeRow): ByteSpan[] {
  checkChecksum(text, text, spans, checksum);
  return decodeSpans(spans);
}

function tooManySpans(text: string, count: number): StorageError {
  return new StorageError("TOO_LARGE", `${count} spans of ${text} are over spansPerLocatorMax, ${spansPerLocatorMax}`, {
    resource: text,
  });
}
