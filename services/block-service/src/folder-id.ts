import { randomBytes } from "node:crypto";
import { link, open, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "@graviton/ports/storage-error";

/**
 * A random text that tells one folder of blocks from all others, whatever path it is at on whatever machine. It stands in a
 * file among the blocks, which the first who asks makes.
 */
export async function folderId(folder: string): Promise<string> {
  return (await read(folder)) ?? (await make(folder));
}

async function read(folder: string): Promise<string | undefined> {
  try {
    return (await readFile(join(folder, "id"), "utf8")).trim();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The file appears whole, and of several who make one at once the first does. */
async function make(folder: string): Promise<string> {
  const id = randomBytes(16).toString("hex");
  // What a crash leaves here is removed by the store of the blocks.
  const temporary = join(folder, "temporary", `id.${id}`);
  await writeFile(temporary, `${id}\n`, { flag: "wx", flush: true });
  try {
    await link(temporary, join(folder, "id"));
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  await flush(folder);
  return (await read(folder)) ?? id;
}

async function flush(folder: string): Promise<void> {
  await using handle = await open(folder);
  await handle.sync();
}
