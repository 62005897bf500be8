import { formatLocator, type Locator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import type { Log } from "@graviton/service/log";

/** Where a process keeps its blocks, as far as its storage has said so. */
export class BlockLocation {
  readonly #log: Log;
  #wasAsked = false;
  #found: Locator | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Undefined where the storage would not say: then the process counts as one with blocks of its own.
   *
   * @throws StorageError UNAVAILABLE until the storage was asked
   */
  get found(): Locator | undefined {
    if (this.#wasAsked) return this.#found;
    const message = "the storage of the blocks has not answered yet: ask again";
    throw new StorageError("UNAVAILABLE", message, { resource: "blocks", retryAfterMs: 1000 });
  }

  /**
   * Asks the storage, each time anew, since another one may have come in its place. Blocks are served also where it does
   * not say.
   *
   * @param check looks whether the storage answers all that will be asked of it: at first, since more rights are needed than
   *   to say this, and whenever it does not say; what it throws passes as it is
   */
  async find(ask: () => Promise<Locator>, check: () => Promise<void> = async () => {}): Promise<void> {
    const isKnown = this.#found !== undefined;
    if (!isKnown) await check();
    try {
      this.#keep(await ask());
    } catch (error) {
      if (isKnown) await check();
      const why = Error.isError(error) ? error.message : String(error);
      if (!this.#wasAsked) this.#log.warn({ error: why }, "cannot say where it keeps its blocks");
    }
    this.#wasAsked = true;
  }

  #keep(found: Locator): void {
    const location = formatLocator(found);
    const before = this.#found && formatLocator(this.#found);
    if (location !== before) this.#log.info({ location }, "keeps its blocks here");
    this.#found = found;
  }
}
