import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, type HashAlgorithm, type Key } from "@graviton/ports/key";
import { manifestPageEntries } from "@graviton/ports/limits";
import type { ManifestEntry, ManifestPage } from "@graviton/ports/manifest";

/** One packed entry: the digest, then the block's size in four bytes. */
const entryBytes = digestBytes + 4;

/** Full pages kept in memory: 256 hold 9 MiB, and the entries of 128 GiB at the default chunk size. */
const pagesInMemoryDefault = 256;

/**
 * Collects the entries of one blob while it streams past. Its key is known only at the end, so the entries have to wait:
 * packed, in memory at first, and beyond a bound in a temporary file, so that memory does not grow with the blob.
 */
export class ManifestBuilder implements AsyncDisposable {
  readonly #algorithm: HashAlgorithm;
  readonly #pagesInMemory: number;
  readonly #parent: string;
  readonly #pages: Buffer[] = [];
  #page = Buffer.alloc(0);
  #spill: { readonly folder: string; readonly file: FileHandle } | undefined;
  #entries = 0;
  #bytes = 0;

  /** @param parent folder for the temporary file */
  constructor(algorithm: HashAlgorithm, pagesInMemory: number = pagesInMemoryDefault, parent: string = tmpdir()) {
    this.#algorithm = algorithm;
    this.#pagesInMemory = pagesInMemory;
    this.#parent = parent;
  }

  /** Entries so far. */
  get blockCount(): number {
    return this.#entries;
  }

  /** Bytes of all blocks so far. */
  get size(): number {
    return this.#bytes;
  }

  /** Adds the next block. */
  async append(block: Key): Promise<void> {
    const slot = this.#entries % manifestPageEntries;
    if (slot === 0) this.#page = Buffer.alloc(entryBytes * manifestPageEntries);
    this.#page.write(block.digest, slot * entryBytes, "hex");
    this.#page.writeUInt32BE(block.size, slot * entryBytes + digestBytes);
    this.#entries += 1;
    this.#bytes += block.size;
    if (slot === manifestPageEntries - 1) await this.#keep(this.#page);
  }

  /** All entries, in full pages but the last; each time from the first one, so that a commit can be tried again. */
  pages(): AsyncIterable<ManifestPage> & { readonly replayable: true } {
    return { replayable: true, [Symbol.asyncIterator]: () => this.#read() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#spill === undefined) return;
    await this.#spill.file.close();
    await rm(this.#spill.folder, { recursive: true });
  }

  async #keep(page: Buffer): Promise<void> {
    if (this.#pages.length < this.#pagesInMemory) {
      this.#pages.push(page);
      return;
    }
    this.#spill ??= await openSpill(this.#parent);
    await this.#spill.file.appendFile(page);
  }

  async *#read(): AsyncGenerator<ManifestPage, void, void> {
    let offset = 0;
    for (let index = 0; index < this.#entries; index += manifestPageEntries) {
      const count = Math.min(manifestPageEntries, this.#entries - index);
      const packed = await this.#packed(index / manifestPageEntries, count);
      const page: ManifestEntry[] = [];
      for (let slot = 0; slot < count; slot += 1) {
        const block = this.#unpack(packed, slot);
        page.push({ index: index + slot, offset, block });
        offset += block.size;
      }
      yield page;
    }
  }

  async #packed(pageIndex: number, count: number): Promise<Buffer> {
    const kept = this.#pages[pageIndex];
    if (kept !== undefined) return kept;
    if (count < manifestPageEntries || this.#spill === undefined) return this.#page;
    const page = Buffer.alloc(this.#page.length);
    await this.#spill.file.read(page, 0, page.length, (pageIndex - this.#pages.length) * page.length);
    return page;
  }

  #unpack(page: Buffer, slot: number): Key {
    const start = slot * entryBytes;
    return {
      algorithm: this.#algorithm,
      digest: page.toString("hex", start, start + digestBytes),
      size: page.readUInt32BE(start + digestBytes),
    };
  }
}

async function openSpill(parent: string): Promise<{ folder: string; file: FileHandle }> {
  const folder = await mkdtemp(join(parent, "graviton-manifest-"));
  return { folder, file: await open(join(folder, "pages"), "w+") };
}
