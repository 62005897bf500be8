import type { Attributes } from "@graviton/ports/attributes";
import { formatKey, type Key } from "@graviton/ports/key";
import { type ManifestEntry, type ManifestPage, missingBlocks } from "@graviton/ports/manifest";
import { findMissing } from "./block-keys.ts";
import type { PostgresDatabase } from "./database.ts";
import { manifestPagesPerWrite } from "./limits.ts";
import { encodePage } from "./manifest-page.ts";
import { PartsWriter, type PartTables } from "./parts.ts";
import type { PartsRemover } from "./parts-remover.ts";

/** Where the pages of manifests are. */
export const manifestTables: PartTables = { versions: "manifest_versions", parts: "manifest_pages" };

/** As many missing blocks as an error lists. */
const missingListedMax = 1000;

const insertManifest = `INSERT INTO manifests (key, version, block_count, created_at, attributes)
  SELECT $1, version.id, $2, $3, $4 FROM version`;

/** A manifest on its way in: asks about its blocks and writes its pages, a few of them at a time. */
export class ManifestUpload {
  readonly #database: PostgresDatabase;
  readonly #key: Key;
  readonly #signal: AbortSignal | undefined;
  readonly #writer: PartsWriter;
  readonly #missing = new Map<string, Key>();
  #waiting: ManifestPage[] = [];
  #blockCount = 0;

  constructor(database: PostgresDatabase, remover: PartsRemover, key: Key, signal: AbortSignal | undefined) {
    this.#database = database;
    this.#key = key;
    this.#signal = signal;
    this.#writer = new PartsWriter(database, remover, formatKey(key), signal);
  }

  get blockCount(): number {
    return this.#blockCount;
  }

  /** Takes the next page, which has been checked and is not empty. */
  async add(page: ManifestPage): Promise<void> {
    this.#blockCount += page.length;
    this.#waiting.push(page);
    if (this.#waiting.length < manifestPagesPerWrite) return;
    await this.#take();
    await this.#writer.flush();
  }

  /**
   * Asks about the last blocks.
   *
   * @throws StorageError MISSING_BLOCKS
   */
  async finish(): Promise<void> {
    await this.#take();
    if (this.#missing.size > 0) throw missingBlocks(this.#key, [...this.#missing.values()]);
  }

  /** Makes it a manifest. @throws StorageError ALREADY_EXISTS when the key has one */
  async publish(attributes: Attributes, createdAt: number): Promise<void> {
    const parameters = [formatKey(this.#key), this.#blockCount, createdAt, JSON.stringify(attributes)];
    await this.#writer.publish(insertManifest, parameters);
  }

  /** Has removed what was written and not published. */
  abandon(): void {
    this.#writer.abandon();
  }

  async #take(): Promise<void> {
    const pages = this.#waiting;
    this.#waiting = [];
    await this.#collectMissing(pages.flat());
    if (this.#missing.size > 0) return;
    for (const page of pages) {
      this.#writer.add({ firstOffset: (page[0] as ManifestEntry).offset, content: encodePage(page) });
    }
  }

  async #collectMissing(entries: readonly ManifestEntry[]): Promise<void> {
    if (this.#missing.size >= missingListedMax) return;
    const blocks = new Map(entries.map(({ block }) => [`${block.digest}:${block.size}`, block]));
    for (const block of await findMissing(this.#database, [...blocks.values()], this.#signal)) {
      if (this.#missing.size < missingListedMax) this.#missing.set(formatKey(block), block);
    }
  }
}
