import { randomBytes } from "node:crypto";
import type { Attributes } from "@graviton/ports/attributes";
import type { Key } from "@graviton/ports/key";
import { type ManifestEntry, type ManifestPage, missingBlocks } from "@graviton/ports/manifest";
import type { ManifestReceipt } from "@graviton/ports/manifest-store";
import type { LevelDatabase } from "./database.ts";
import { removeLoosePages } from "./leftovers.ts";
import { manifestPagesPerBatch } from "./limits.ts";
import { encodeHeader, generationBytes, headerKey, readHeader, type StoredHeader } from "./manifest-header.ts";
import { encodePage } from "./manifest-page.ts";
import { safeInteger } from "./safe-integer.ts";
import { blockRecordKey, recordKey } from "./tables.ts";
import { type Change, del, put } from "./update.ts";

/** As many missing blocks as an error lists. */
const missingListedMax = 1000;

/**
 * A manifest on its way in. Its pages go to the database as they come, under a generation that is recorded as loose;
 * one last batch writes the header and takes that record away. Until then no reader finds them, and whoever opens the
 * database after a crash removes them.
 */
export class ManifestUpload {
  readonly #database: LevelDatabase;
  readonly #key: Key;
  readonly #generation = randomBytes(generationBytes);
  readonly #missing = new Map<string, Key>();
  #waiting: Change[] = [];
  #blockCount = 0;
  #written = false;

  constructor(database: LevelDatabase, key: Key) {
    this.#database = database;
    this.#key = key;
  }

  /** Takes the next page, which has been checked and is not empty. */
  async add(page: ManifestPage): Promise<void> {
    await this.#collectMissing(page);
    this.#blockCount += page.length;
    if (this.#missing.size > 0) return;
    this.#waiting.push(put(pageKey(this.#generation, (page[0] as ManifestEntry).offset), encodePage(page)));
    if (this.#waiting.length === manifestPagesPerBatch) await this.#write();
  }

  /**
   * Makes it a manifest, durably, unless the key has one by now.
   *
   * @throws StorageError MISSING_BLOCKS
   */
  async commit(advertised: Attributes, createdAt: number): Promise<ManifestReceipt> {
    if (this.#missing.size > 0) throw missingBlocks(this.#key, [...this.#missing.values()]);
    const info = { advertised, confirmed: { key: this.#key, blockCount: this.#blockCount, createdAt } };
    const content = encodeHeader({ info, generation: this.#generation });
    let there: StoredHeader | undefined;
    await this.#database.update({
      reads: () => [headerKey(this.#key)],
      changes: (read) => {
        const found = readHeader(this.#key, read);
        there = typeof found === "string" ? undefined : found;
        return there === undefined ? [...this.#lastChanges(), put(headerKey(this.#key), content)] : [];
      },
    });
    if (there === undefined) return { created: true, info };
    await this.abandon();
    return { created: false, info: there.info };
  }

  /** Removes what was written. What cannot be removed now is removed when the database is opened next. */
  async abandon(): Promise<void> {
    if (!this.#written) return;
    try {
      if (!(await this.#isCommitted())) await removeLoosePages(this.#database, this.#generation);
    } catch {
      // The pages are recorded as loose.
    }
  }

  #lastChanges(): Change[] {
    return this.#written ? [...this.#waiting, del(looseKey(this.#generation))] : this.#waiting;
  }

  /** A commit that failed may have been done all the same; asking in an update waits until that is settled. */
  async #isCommitted(): Promise<boolean> {
    let committed = false;
    await this.#database.update({
      reads: () => [headerKey(this.#key)],
      changes: (read) => {
        const found = readHeader(this.#key, read);
        committed = typeof found !== "string" && found.generation.equals(this.#generation);
        return [];
      },
    });
    return committed;
  }

  async #collectMissing(page: ManifestPage): Promise<void> {
    if (this.#missing.size >= missingListedMax) return;
    const blocks = new Map(page.map(({ block }) => [`${block.digest}:${block.size}`, block]));
    const recorded = await this.#database.hasMany([...blocks.values()].map(blockRecordKey));
    for (const [index, [name, block]] of [...blocks].entries()) {
      if (!recorded[index] && this.#missing.size < missingListedMax) this.#missing.set(name, block);
    }
  }

  async #write(): Promise<void> {
    const changes = [put(looseKey(this.#generation)), ...this.#waiting];
    this.#waiting = [];
    this.#written = true;
    await this.#database.update({ changes: () => changes });
  }
}

/** Where the page is that begins at this offset. */
export function pageKey(generation: Uint8Array, offset: number): Buffer {
  return recordKey("pages", generation, safeInteger(offset));
}

/** The record that says that a generation's pages belong to no manifest. */
export function looseKey(generation: Uint8Array): Buffer {
  return recordKey("loosePages", generation);
}
