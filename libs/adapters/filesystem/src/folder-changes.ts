import type { Folders } from "./folders.ts";

/**
 * Knows which folders hold names that a crash could still lose. A name is visible from its rename on, but durable only
 * after the folder's flush: whoever says that a file is there must settle its folder first.
 */
export class FolderChanges {
  readonly #folders: Folders;
  readonly #changes = new Map<string, number>();
  readonly #flushed = new Map<string, number>();

  constructor(folders: Folders) {
    this.#folders = folders;
  }

  /** Says that a name in the folder changes. Called before the change and after it. */
  touch(folder: string): void {
    this.#changes.set(folder, this.#count(folder) + 1);
  }

  /**
   * Flushes the folder unless a flush is known to have followed its last change. The first time it always flushes: the
   * process before this one may have died between a rename and its flush.
   */
  async settle(folder: string): Promise<void> {
    const changes = this.#count(folder);
    if ((this.#flushed.get(folder) ?? -1) >= changes) return;
    await this.#folders.flush(folder);
    this.#flushed.set(folder, Math.max(changes, this.#flushed.get(folder) ?? 0));
  }

  #count(folder: string): number {
    return this.#changes.get(folder) ?? 0;
  }
}
