import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { ClassicLevel } from "classic-level";
import { writeBufferBytes } from "./limits.ts";

/** An open LevelDB. */
export type Driver = ClassicLevel<Buffer, Buffer>;

/** Opens the LevelDB in a folder, given by its absolute path, and makes both, durably, where there is none. */
export async function openDriver(folder: string): Promise<Driver> {
  await makeFolder(folder);
  const driver = new ClassicLevel<Buffer, Buffer>(folder, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    writeBufferSize: writeBufferBytes,
  });
  await driver.open();
  return driver;
}

/** LevelDB flushes the folder itself, but not those above, in which the folder has its name. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  for (let made = folder; first !== undefined && made.length >= first.length; made = dirname(made)) {
    await using above = await open(dirname(made), "r");
    await above.sync();
  }
}
