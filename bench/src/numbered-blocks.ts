import { createHash } from "node:crypto";
import type { Key } from "@graviton/ports/key";

/** The key of a block that exists as a number only: `sha256(int4send(number))` in SQL gives the same digest. */
export function keyOfBlock(number: number): Key {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  return { algorithm: "blake3", digest: createHash("sha256").update(bytes).digest("hex"), size: 256 * 1024 };
}
