import { join } from "node:path";
import { StorageError } from "@graviton/ports/storage-error";
import { closing, readFully, writeFully } from "./file-bytes.ts";
import { isAbsent } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import type { Folders } from "./folders.ts";
import type { Staging } from "./staging.ts";

/** Bytes that a format file has at most: one short line. */
const formatBytesMax = 100;

/** What a folder was written in: one line in a file, `graviton-blocks 1`. */
export class Format {
  readonly #line: string;
  readonly #root: string;
  readonly #path: string;
  readonly #meaningless: readonly string[];
  readonly #files: FileLayer;

  /**
   * @param path the file that says the format of the folder `root`
   * @param own what the store itself makes in the folder before it writes the format
   */
  constructor(line: string, root: string, path: string, own: string, files: FileLayer) {
    this.#line = line;
    this.#root = root;
    this.#path = path;
    // A fresh volume has the first; a crash before the format was written may leave the other.
    this.#meaningless = ["lost+found", own];
    this.#files = files;
  }

  /**
   * True when the folder has the format, false when it is empty or not there.
   *
   * @throws StorageError UNSUPPORTED for another format, and for content of none: it is never guessed
   */
  async check(): Promise<boolean> {
    const found = await this.#read();
    if (found === `${this.#line}\n`) return true;
    if (found !== undefined) {
      throw this.#refusal(`has the format ${JSON.stringify(found.trimEnd())}: use the version that wrote it`);
    }
    const names = await this.#files.readdir(this.#root).catch((error) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    if (names.every((name) => this.#meaningless.includes(name))) return false;
    throw this.#refusal(
      `has content, but no ${this.#path} that says its format: give an empty folder or the right one`,
    );
  }

  /** Marks the folder with the format, durably. */
  async mark(staging: Staging, folders: Folders): Promise<void> {
    await staging.write(
      (file) => writeFully(file, Buffer.from(`${this.#line}\n`)),
      (temporary) => this.#files.rename(temporary, this.#path),
    );
    await folders.flush(join(this.#path, ".."));
  }

  async #read(): Promise<string | undefined> {
    try {
      const file = await this.#files.open(this.#path, "r");
      return Buffer.from(await closing(file, () => readFully(file, 0, formatBytesMax))).toString();
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  #refusal(why: string): StorageError {
    return new StorageError("UNSUPPORTED", `folder ${this.#root} ${why}. This version reads ${this.#line}`, {
      resource: this.#root,
    });
  }
}
