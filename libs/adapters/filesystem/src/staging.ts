import { createHash, randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { errorCode } from "@graviton/ports/storage-error";
import { closing } from "./file-bytes.ts";
import { translated } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import type { Folders } from "./folders.ts";
import { foreignTemporaryAgeMsMax } from "./limits.ts";

const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 16);
const run = randomBytes(8).toString("hex");
let count = 0;

/**
 * A folder of temporary files, on the file system of what they are to become. Their names say who writes them,
 * `<host>.<process>.<run>.<count>`, so that the next one to open the folder can tell the leftovers of a crash from the
 * work of others: those of this host whose process has ended go at once, those of another host after a day.
 */
export class Staging {
  readonly #folder: string;
  readonly #files: FileLayer;

  private constructor(folder: string, files: FileLayer) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Makes the folder where needed and removes what crashes left in it. */
  static async open(folder: string, folders: Folders, files: FileLayer): Promise<Staging> {
    await folders.ensure(folder);
    const staging = new Staging(folder, files);
    for (const name of await files.readdir(folder)) {
      if (await staging.#isLeftover(name)) await staging.#discard(join(folder, name));
    }
    return staging;
  }

  /**
   * Lets `fill` write a new temporary file, flushes it, and lets `publish` give it its lasting name. Nothing is left of
   * it when one of them fails. What they throw passes as it is.
   *
   * @param publish gets what `fill` resolved to
   */
  async write<F, T>(
    fill: (file: FileHandle) => Promise<F>,
    publish: (path: string, filled: F) => Promise<T>,
  ): Promise<T> {
    return this.use(async (path) => {
      const file = await this.#translated(() => this.#files.open(path, "wx", 0o644));
      const filled = await closing({ close: () => this.#translated(() => file.close()) }, async () => {
        const filled = await fill(file);
        await this.#translated(() => file.sync());
        return filled;
      });
      return publish(path, filled);
    });
  }

  /** Lends a name in the folder; removes the file when the work fails. */
  async use<T>(work: (path: string) => Promise<T>): Promise<T> {
    count += 1;
    const path = join(this.#folder, [host, process.pid, run, count].join("."));
    try {
      return await work(path);
    } catch (error) {
      await this.#discard(path);
      throw error;
    }
  }

  async #isLeftover(name: string): Promise<boolean> {
    const [itsHost, pid, itsRun] = name.split(".");
    if (itsHost === host && itsRun === run) return false;
    if (itsHost === host && Number(pid) !== process.pid) return !isAlive(Number(pid));
    // In a container the process of before had the same number as this one: what is older than this one was its.
    const bornMs = Date.now() - (itsHost === host ? process.uptime() * 1000 : foreignTemporaryAgeMsMax);
    try {
      return (await this.#files.lstat(join(this.#folder, name))).mtimeMs < bornMs;
    } catch {
      return false;
    }
  }

  #translated<T>(call: () => Promise<T>): Promise<T> {
    return translated(this.#folder, undefined, call);
  }

  async #discard(path: string): Promise<void> {
    // A file that stays behind harms nobody, and the next opener removes it.
    await this.#files.unlink(path).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}
