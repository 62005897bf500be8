import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { S3Bucket } from "./bucket.ts";
import { isForbidden } from "./errors.ts";
import { listPageObjects } from "./limits.ts";
import { listPages } from "./list-pages.ts";
import { listedInDisorder } from "./object-errors.ts";
import { objectsIn } from "./object-keys.ts";

/** The order of keys: that of their bytes, or of the names in each folder. */
type KeyOrder = "bytes" | "names";

/** The same keys in either order. No locator's bucket has such a name, so that no listing of objects shows them. */
const inOrder: Readonly<Record<KeyOrder, readonly string[]>> = {
  bytes: ["_order/a!", "_order/a/a!", "_order/b!"],
  names: ["_order/a/a!", "_order/a!", "_order/b!"],
};

/**
 * The order in which S3 lists keys. It should be that of their bytes. An S3 that keeps folders, as SeaweedFS does, lists by
 * the names in each folder, where all of folder `a` comes before `a!`: asked to go on after `a/a!` it gives `a!`. Nothing
 * but objects with such keys can tell, and so there are some.
 */
export class ListOrder {
  readonly #bucket: S3Bucket;
  #known: KeyOrder | undefined;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  /**
   * That of the names where it cannot be found out: who takes it for that is slower where it is that of the bytes, and not
   * wrong. It is looked for again next time, but not where nothing may be written.
   *
   * @throws StorageError UNSUPPORTED where it is neither
   */
  async find(signal: AbortSignal | undefined): Promise<KeyOrder> {
    this.#known ??= (await this.#look(signal)) ?? (await this.#lookAfterWriting(signal));
    return this.#known ?? "names";
  }

  /** Undefined where not all of the objects are there. */
  async #look(signal: AbortSignal | undefined): Promise<KeyOrder | undefined> {
    const keys: string[] = [];
    for await (const page of listPages({ ...this.#source, signal }, { prefix: "_order/" })) {
      keys.push(...page.map(({ key }) => key));
    }
    if (!inOrder.bytes.every((key) => keys.includes(key))) return undefined;
    for (const order of ["bytes", "names"] as const) {
      if (inOrder[order].every((key, index) => keys[index] === key)) return order;
    }
    throw listedInDisorder();
  }

  async #lookAfterWriting(signal: AbortSignal | undefined): Promise<KeyOrder | undefined> {
    try {
      const allowed = await Promise.all(inOrder.bytes.map((key) => this.#write(key, signal)));
      if (allowed.includes(false)) return "names";
    } catch (error) {
      if (signal?.aborted) throw error;
      return undefined;
    }
    return this.#look(signal);
  }

  /** False where that is forbidden. */
  async #write(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    const Key = this.#source.folder + key;
    const command = () => new PutObjectCommand({ Bucket: this.#bucket.name, Key, Body: Buffer.alloc(0) });
    const answer = await this.#bucket.answerInTheEnd(command, signal, (error) => isForbidden(error) || undefined);
    return answer !== true;
  }

  get #source() {
    return { bucket: this.#bucket, folder: objectsIn(this.#bucket.prefix), pageEntries: listPageObjects };
  }
}
