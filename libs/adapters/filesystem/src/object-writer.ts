import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { type CallOptions, checkCall } from "@graviton/ports/call-options";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import { objectNotFound } from "@graviton/ports/object-errors";
import type { ObjectInfo, ObjectPutOptions } from "@graviton/ports/object-store";
import { closing, writeFully } from "./file-bytes.ts";
import { isAbsent, translated } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import { placeOf } from "./object-names.ts";
import type { ObjectPublisher } from "./object-publisher.ts";
import { infoOf } from "./object-reader.ts";
import type { Staging } from "./staging.ts";

/** What an {@link ObjectWriter} stands on. */
export interface ObjectWriterParts {
  readonly root: string;
  readonly files: FileLayer;
  readonly staging: Staging;
  readonly publisher: ObjectPublisher;
  /** The clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** Makes new versions of objects: whole and flushed under a temporary name, then published. Locators are checked by then. */
export class ObjectWriter {
  readonly #root: string;
  readonly #files: FileLayer;
  readonly #staging: Staging;
  readonly #publisher: ObjectPublisher;
  readonly #now: () => number;
  #lastModifiedUs = 0;

  constructor({ root, files, staging, publisher, now }: ObjectWriterParts) {
    this.#root = root;
    this.#files = files;
    this.#staging = staging;
    this.#publisher = publisher;
    this.#now = now;
  }

  /** Stores the stream; what its source throws passes as it is. */
  async put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options?: ObjectPutOptions): Promise<ObjectInfo> {
    return this.#staging.write(
      async (file) => {
        for await (const frame of bytes) await this.#translated(locator, () => writeFully(file, frame));
        return this.#translated(locator, () => this.#sealed(file, locator));
      },
      async (temporary, info) => {
        checkCall(options);
        const create = options?.ifAbsent === true;
        await this.#translated(locator, () => this.#publisher.publish(temporary, locator, create));
        return info;
      },
    );
  }

  /** Stores what is at `from`; NOT_FOUND when there is nothing. */
  async copy(from: Locator, to: Locator, options: CallOptions | undefined): Promise<ObjectInfo> {
    return this.#staging.use(async (temporary) => {
      await this.#translated(from, () => this.#copyFile(from, temporary));
      return this.#translated(to, async () => {
        const file = await this.#files.open(temporary, "r+");
        const info = await closing(file, async () => {
          const sealed = await this.#sealed(file, to);
          await file.sync();
          return sealed;
        });
        checkCall(options);
        await this.#publisher.publish(temporary, to, false);
        return info;
      });
    });
  }

  /** Removes what is there, if anything is. */
  remove(locator: Locator): Promise<void> {
    return this.#translated(locator, () => this.#publisher.remove(locator));
  }

  async #copyFile(from: Locator, temporary: string): Promise<void> {
    const { folder, name } = placeOf(this.#root, from);
    try {
      const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
      await this.#files.copyFile(join(folder, name), temporary, mode);
    } catch (error) {
      if (isAbsent(error) && (await this.#isGone(join(folder, name)))) throw objectNotFound(from);
      throw error;
    }
  }

  async #isGone(path: string): Promise<boolean> {
    return this.#files.lstat(path).then(() => false, isAbsent);
  }

  /** Gives the version its time, and so its etag: a time that no other version of this store has. */
  async #sealed(file: FileHandle, locator: Locator): Promise<ObjectInfo> {
    // The kernel's own clock moves in steps of milliseconds, in which two versions would look alike.
    this.#lastModifiedUs = Math.max(this.#lastModifiedUs + 1, this.#now() * 1000);
    await file.utimes(this.#lastModifiedUs / 1e6, this.#lastModifiedUs / 1e6);
    return infoOf(locator, await file.stat({ bigint: true }));
  }

  #translated<T>(locator: Locator, call: () => Promise<T>): Promise<T> {
    return translated(this.#root, formatLocator(locator), call);
  }
}
