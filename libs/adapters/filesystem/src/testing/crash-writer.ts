import { randomBytes } from "node:crypto";
import { keyOf } from "@graviton/cas/hasher";
import { formatKey } from "@graviton/ports/key";
import { FilesystemBlockDriver } from "../block-driver.ts";
import { watchedFiles } from "./watched-files.ts";

/**
 * For the crash tests: writes blocks to the folder given and prints the key of each that was acknowledged. Given a
 * number too it writes one block and kills itself before its file operation of that number; otherwise it goes on until
 * somebody kills it.
 */
const [folder = "", killAt] = process.argv.slice(2);
let operations = 0;
const files = watchedFiles(() => {
  operations += 1;
  if (operations === Number(killAt)) process.kill(process.pid, "SIGKILL");
});
const driver = await FilesystemBlockDriver.open(folder, files);

async function write(): Promise<void> {
  const bytes = randomBytes(200_000);
  const key = keyOf("blake3", bytes);
  await driver.write(key, bytes);
  process.stdout.write(`${formatKey(key)}\n`);
}

async function writeForEver(): Promise<never> {
  for (;;) await write();
}

if (killAt !== undefined) await write();
else await Promise.all(Array.from({ length: 8 }, writeForEver));
