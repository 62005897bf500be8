import { randomBytes } from "node:crypto";
import { keyOf } from "@graviton/cas/hasher";
import { formatKey } from "@graviton/ports/key";
import { FilesystemBlockDriver } from "./block-driver.ts";

/** For the crash test: writes blocks to the folder given until it is killed, and prints the key of each that was acknowledged. */
const driver = await FilesystemBlockDriver.open(process.argv[2] as string);

async function write(): Promise<never> {
  for (;;) {
    const bytes = randomBytes(200_000);
    const key = keyOf("blake3", bytes);
    await driver.write(key, bytes);
    process.stdout.write(`${formatKey(key)}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, write));
