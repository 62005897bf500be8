import { constants } from "node:fs";
import { dirname } from "node:path";
import { errorCode } from "@graviton/ports/storage-error";
import { closing } from "./file-bytes.ts";
import type { FileLayer } from "./file-layer.ts";

/** Folders remembered as made. Past it all are forgotten, which costs a few system calls for each in use. */
const rememberedMax = 16_384;

/** How often a folder is made while somebody keeps removing the one above it. */
const attemptsMax = 32;

/** Makes folders and flushes them, so that what is in them is there after a crash. */
export class Folders {
  readonly #files: FileLayer;
  readonly #root: string;
  readonly #made = new Map<string, Promise<void>>();
  readonly #flushing = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Promise<void>>();

  /** @param root the folder that the store was given; everything else is below it */
  constructor(files: FileLayer, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** Resolves once the folder and those above it exist durably. */
  ensure(folder: string): Promise<void> {
    const made = this.#made.get(folder);
    if (made !== undefined) return made;
    if (this.#made.size >= rememberedMax) this.#made.clear();
    const making = this.#make(folder);
    this.#made.set(folder, making);
    making.catch(() => this.forget(folder));
    return making;
  }

  /** Waits for whoever is making the folder just now, if anybody is. */
  async made(folder: string): Promise<void> {
    await this.#made.get(folder);
  }

  /** Says that the folder may be gone. */
  forget(folder: string): void {
    this.#made.delete(folder);
  }

  /** Flushes the folder to the disk. A call that comes during a flush shares the next one with others. */
  flush(folder: string): Promise<void> {
    const waiting = this.#waiting.get(folder);
    if (waiting !== undefined) return waiting;
    const before = this.#flushing.get(folder) ?? Promise.resolve();
    const next = before.then(
      () => this.#begin(folder),
      () => this.#begin(folder),
    );
    this.#waiting.set(folder, next);
    return next;
  }

  async #make(folder: string): Promise<void> {
    if (!folder.startsWith(`${this.#root}/`)) return this.#makeRoot(folder);
    const above = dirname(folder);
    for (let attempt = 1; ; attempt += 1) {
      await this.ensure(above);
      if (await this.#makeOne(folder, attempt === attemptsMax)) break;
      this.forget(above);
    }
    // Also where it was there: whoever made it may have died before the flush.
    await this.flush(above);
  }

  async #makeRoot(folder: string): Promise<void> {
    const first = await this.#files.mkdir(folder, { recursive: true });
    for (let made = folder; first !== undefined && made.length >= first.length; made = dirname(made)) {
      await this.flush(dirname(made));
    }
  }

  /** False when the folder above is gone. */
  async #makeOne(folder: string, last: boolean): Promise<boolean> {
    try {
      await this.#files.mkdir(folder);
    } catch (error) {
      if (errorCode(error) === "ENOENT" && !last) return false;
      if (errorCode(error) !== "EEXIST") throw error;
    }
    return true;
  }

  #begin(folder: string): Promise<void> {
    this.#waiting.delete(folder);
    const flushing = this.#flush(folder).finally(() => {
      if (this.#flushing.get(folder) === flushing) this.#flushing.delete(folder);
    });
    this.#flushing.set(folder, flushing);
    return flushing;
  }

  async #flush(folder: string): Promise<void> {
    const handle = await this.#files.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    await closing(handle, () => handle.sync());
  }
}
