import { randomUUID } from "node:crypto";
import { type ByteRange, checkRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  checkLocator,
  checkLocatorPrefix,
  formatLocator,
  type Locator,
  type LocatorPrefix,
} from "@graviton/ports/locator";
import { objectExists } from "@graviton/ports/object-errors";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import { hasReason } from "@graviton/ports/storage-error";
import { chunksOf } from "./chunks.ts";
import type { PostgresDatabase } from "./database.ts";
import { objectChunkBytes, objectChunksPerWrite, rowsPerRead } from "./limits.ts";
import { readObject } from "./object-reader.ts";
import {
  copyShortObject,
  deleteObject,
  findObject,
  infoOf,
  insertObject,
  type ObjectRow,
  objectTables,
  replaceObject,
} from "./object-rows.ts";
import { PartsWriter } from "./parts.ts";
import { PartsRemover } from "./parts-remover.ts";
import { afterPrefix, sortable } from "./sortable.ts";

interface CopiedRow extends ObjectRow {
  readonly left_over: boolean;
}

/** One row an object, `pg://bucket/path`, and one for each 512 KiB of its bytes. */
export class PostgresObjectStore implements MutableObjectStore {
  readonly #database: PostgresDatabase;
  readonly #remover: PartsRemover;
  readonly #lifetime: Lifetime;
  readonly #now: () => number;

  /**
   * @param close called once after the last call has ended, by a store that owns its database to dispose of it
   * @param now the clock, in milliseconds since 1970
   */
  constructor(database: PostgresDatabase, close?: () => Promise<void>, now: () => number = Date.now) {
    this.#database = database;
    this.#remover = new PartsRemover(database, objectTables);
    this.#lifetime = new Lifetime("PostgresObjectStore", async () => {
      await this.#remover[Symbol.asyncDispose]();
      await close?.();
    });
    this.#now = now;
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      return infoOf(await findObject(this.#database, checkLocator(locator, "pg"), callSignal(options)));
    });
  }

  list(prefix: LocatorPrefix, options: ObjectListOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#lifetime.stream(options, () => this.#list(prefix, options, callSignal(options)));
  }

  get(locator: Locator, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => {
      return readObject(this.#database, checkLocator(locator, "pg"), checkRange(range), callSignal(options));
    });
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const target = checkLocator(locator, "pg");
      const signal = callSignal(options);
      if (options?.ifAbsent) await this.#refuseExisting(target, signal);
      return this.#store(target, signal, options?.ifAbsent ? insertObject : replaceObject, async (writer) => {
        const size = await write(writer, abortable(bytes, signal));
        checkCall(options);
        return size;
      });
    });
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const { bucket, path } = checkLocator(locator, "pg");
      const { rows } = await this.#database.query(deleteObject, [bucket, path], callSignal(options));
      if (rows[0]?.left_over) this.#remover.start();
    });
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const [source, target] = [checkLocator(from, "pg"), checkLocator(to, "pg")];
      const signal = callSignal(options);
      if (formatLocator(source) === formatLocator(target))
        return infoOf(await findObject(this.#database, source, signal));
      return (await this.#copyShort(source, target, signal)) ?? (await this.#copyLong(source, target, signal));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /** Gives undefined for an object that is not short, or not there. */
  async #copyShort(source: Locator, target: Locator, signal: AbortSignal | undefined): Promise<ObjectInfo | undefined> {
    const parameters = [target.bucket, target.path, this.#now(), randomUUID(), source.bucket, source.path];
    const { rows } = await this.#database.query<CopiedRow>(copyShortObject, parameters, signal);
    const [copied] = rows;
    if (copied?.left_over) this.#remover.start();
    return copied && infoOf(copied);
  }

  #copyLong(source: Locator, target: Locator, signal: AbortSignal | undefined): Promise<ObjectInfo> {
    return this.#store(target, signal, replaceObject, async (writer) => {
      return (await writer.copy((query) => findObject({ query }, source))).size;
    });
  }

  /** Gives the locator to what `fill` writes, by the statement; where that fails nothing of it stays. */
  async #store(
    locator: Locator,
    signal: AbortSignal | undefined,
    statement: string,
    fill: (writer: PartsWriter) => Promise<number>,
  ): Promise<ObjectInfo> {
    const { bucket, path } = locator;
    const writer = new PartsWriter(this.#database, this.#remover, formatLocator(locator), signal);
    try {
      const size = await fill(writer);
      const info = { locator, size, modifiedAt: this.#now(), etag: randomUUID() };
      const publishing = writer.publish(statement, [bucket, path, size, info.modifiedAt, info.etag]);
      const { rows } = await publishing.catch((error) => {
        throw hasReason(error, "ALREADY_EXISTS") ? objectExists(locator, error) : error;
      });
      if (rows[0]?.left_over) this.#remover.start();
      return info;
    } finally {
      writer.abandon();
    }
  }

  async *#list(
    prefix: LocatorPrefix,
    options: ObjectListOptions,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ObjectInfo, void, void> {
    const { bucket, path } = checkLocatorPrefix(prefix, "pg");
    let { after, limit: left = Number.POSITIVE_INFINITY } = checkListOptions(options);
    while (left > 0) {
      const wanted = Math.min(left, rowsPerRead);
      const { rows } = await this.#database.query<ObjectRow>(
        `SELECT * FROM objects
          WHERE bucket = $1 AND path >= $2 AND ($3::text IS NULL OR path < $3) AND ($4::text IS NULL OR path > $4)
          ORDER BY path LIMIT $5`,
        [bucket, path, afterPrefix(path), after === undefined ? null : sortable(after), wanted],
        signal,
      );
      for (const row of rows) yield infoOf(row);
      if (rows.length < wanted) return;
      after = rows.at(-1)?.path;
      left -= rows.length;
    }
  }

  /** Spares the caller the upload. Another object may still come between: then the last statement refuses. */
  async #refuseExisting(locator: Locator, signal: AbortSignal | undefined): Promise<void> {
    const { bucket, path } = locator;
    const statement = "SELECT FROM objects WHERE bucket = $1 AND path = $2";
    const { count } = await this.#database.query(statement, [bucket, path], signal);
    if (count > 0) throw objectExists(locator);
  }
}

/** Gives the number of bytes. */
async function write(writer: PartsWriter, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  let waiting = 0;
  for await (const part of chunksOf(bytes, objectChunkBytes)) {
    if (waiting === objectChunksPerWrite) {
      await writer.flush();
      waiting = 0;
    }
    writer.add(part);
    waiting += 1;
    size += part.content.length;
  }
  return size;
}
