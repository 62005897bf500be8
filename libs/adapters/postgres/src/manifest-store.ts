import { type Attributes, checkAttributes } from "@graviton/ports/attributes";
import { type ByteRange, type ByteSpan, resolveRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkCall, checkListOptions } from "@graviton/ports/call-options";
import { callSignal } from "@graviton/ports/call-signal";
import { checkKey, formatKey, type Key, parseKey } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  blobNotFound,
  checkedPages,
  entriesWithin,
  type ManifestEntry,
  type ManifestHeader,
  type ManifestInfo,
  type ManifestPage,
  repaged,
} from "@graviton/ports/manifest";
import type { ManifestListOptions, ManifestReceipt, ManifestStore } from "@graviton/ports/manifest-store";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { findMissing, record } from "./block-keys.ts";
import type { PostgresDatabase } from "./database.ts";
import { manifestPagesPerRead, partsPerStatement, rowsPerRead } from "./limits.ts";
import { decodePage } from "./manifest-page.ts";
import { ManifestUpload, manifestTables } from "./manifest-upload.ts";
import { type Part, readParts } from "./parts.ts";
import { PartsRemover } from "./parts-remover.ts";
import { sortable } from "./sortable.ts";

interface ManifestRow {
  readonly key: string;
  readonly version: number;
  readonly block_count: number;
  readonly created_at: number;
  readonly attributes: Attributes;
}

/** Tells whether the manifest had so many pages that a trigger leaves them to be removed. */
const deleteManifest = `DELETE FROM manifests WHERE key = $1 RETURNING EXISTS (
    SELECT FROM manifest_pages AS page WHERE page.version = manifests.version OFFSET ${partsPerStatement}
  ) AS left_over`;

/** One row a manifest, one for each 1,024 of its entries, and one for each block that somebody recorded. */
export class PostgresManifestStore implements ManifestStore {
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
    this.#remover = new PartsRemover(database, manifestTables);
    this.#lifetime = new Lifetime("PostgresManifestStore", async () => {
      await this.#remover[Symbol.asyncDispose]();
      await close?.();
    });
    this.#now = now;
  }

  put(header: ManifestHeader, pages: AsyncIterable<ManifestPage>, options?: CallOptions): Promise<ManifestReceipt> {
    return this.#lifetime.run(options, async () => {
      const key = checkKey(header.key);
      const attributes = checkAttributes(header.attributes);
      const signal = callSignal(options);
      const upload = new ManifestUpload(this.#database, this.#remover, key, signal);
      try {
        for await (const page of repaged(checkedPages(key, abortable(pages, signal)))) await upload.add(page);
        await upload.finish();
        checkCall(options);
        return await this.#commit(key, attributes, upload, signal);
      } finally {
        upload.abandon();
      }
    });
  }

  get(key: Key, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => this.#get(checkKey(key), callSignal(options)));
  }

  stat(key: Key, options?: CallOptions): Promise<ManifestInfo> {
    return this.#lifetime.run(options, async () => infoOf(await this.#find(checkKey(key), callSignal(options))));
  }

  blockRefs(key: Key, range: ByteRange, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => this.#blockRefs(checkKey(key), range, callSignal(options)));
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const text = formatKey(checkKey(key));
      const { rows } = await this.#database.query(deleteManifest, [text], callSignal(options));
      if (rows[0]?.left_over) this.#remover.start();
    });
  }

  list(options: ManifestListOptions = {}): AsyncIterable<ManifestInfo> {
    return this.#lifetime.stream(options, () => this.#list(options, callSignal(options)));
  }

  findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, () => findMissing(this.#database, keys, callSignal(options)));
  }

  recordBlocks(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, () => record(this.#database, keys, callSignal(options)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /** Looks first, so that a manifest which is there already costs no failed statement; another may still come between. */
  async #commit(
    key: Key,
    advertised: Attributes,
    upload: ManifestUpload,
    signal: AbortSignal | undefined,
  ): Promise<ManifestReceipt> {
    for (;;) {
      const there = await this.#row(key, signal);
      if (there !== undefined) return { created: false, info: infoOf(there) };
      const createdAt = this.#now();
      try {
        await upload.publish(advertised, createdAt);
        return { created: true, info: { advertised, confirmed: { key, blockCount: upload.blockCount, createdAt } } };
      } catch (error) {
        if (!hasReason(error, "ALREADY_EXISTS")) throw error;
      }
    }
  }

  async *#get(key: Key, signal: AbortSignal | undefined): AsyncGenerator<ManifestPage, void, void> {
    const { version } = await this.#find(key, signal);
    yield* this.#pages(key, version, { start: 0, end: key.size }, signal);
  }

  async *#blockRefs(
    key: Key,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ManifestPage, void, void> {
    const { version } = await this.#find(key, signal);
    const span = resolveRange(range, key.size, formatKey(key));
    for await (const page of this.#pages(key, version, span, signal)) {
      const within = entriesWithin(page, span);
      if (within.length > 0) yield within;
    }
  }

  /** A manifest that is deleted meanwhile soon loses its pages: where one is gone the read ends in NOT_FOUND. */
  async *#pages(
    key: Key,
    version: number,
    span: ByteSpan,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ManifestPage, void, void> {
    let page: ManifestEntry[] = [];
    const endOf = (part: Part) => {
      const last = page.at(-1);
      return last === undefined ? part.firstOffset : last.offset + last.block.size;
    };
    const vanished = () => this.#vanished(key, version, signal);
    const range = { resource: formatKey(key), version, span, limit: manifestPagesPerRead, endOf, vanished };
    for await (const part of readParts(this.#database, manifestTables, range, signal)) {
      page = decodePage(part.content);
      yield page;
    }
  }

  async *#list(
    options: ManifestListOptions,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ManifestInfo, void, void> {
    let { after = "", limit: left = Number.POSITIVE_INFINITY } = checkListOptions(options);
    while (left > 0) {
      const wanted = Math.min(left, rowsPerRead);
      const { rows } = await this.#database.query<ManifestRow>(
        "SELECT * FROM manifests WHERE key > $1 ORDER BY key LIMIT $2",
        [sortable(after), wanted],
        signal,
      );
      for (const row of rows) yield infoOf(row);
      if (rows.length < wanted) return;
      after = rows.at(-1)?.key ?? "";
      left -= rows.length;
    }
  }

  async #find(key: Key, signal: AbortSignal | undefined): Promise<ManifestRow> {
    const row = await this.#row(key, signal);
    if (row === undefined) throw blobNotFound(key);
    return row;
  }

  async #row(key: Key, signal: AbortSignal | undefined): Promise<ManifestRow | undefined> {
    const statement = "SELECT * FROM manifests WHERE key = $1";
    const { rows } = await this.#database.query<ManifestRow>(statement, [formatKey(key)], signal);
    return rows[0];
  }

  /** The error for pages that are not there. */
  async #vanished(key: Key, version: number, signal: AbortSignal | undefined): Promise<StorageError> {
    const row = await this.#row(key, signal);
    if (row?.version !== version) return blobNotFound(key);
    const resource = formatKey(key);
    return new StorageError("CORRUPT", `the manifest of ${resource} has lost pages`, { resource });
  }
}

function infoOf({ key, block_count, created_at, attributes }: ManifestRow): ManifestInfo {
  return {
    advertised: attributes,
    confirmed: { key: parseKey(key), blockCount: block_count, createdAt: created_at },
  };
}
