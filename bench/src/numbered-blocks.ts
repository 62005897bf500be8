import { hash } from "node:crypto";
import type { Key } from "@graviton/ports/key";

const fourBytes = Buffer.alloc(4);

/** The key of a block that exists as a number only: `sha256(int4send(number))` in SQL gives the same digest. */
export function keyOfBlock(number: number): Key {
  fourBytes.writeInt32BE(number);
  return { algorithm: "blake3", digest: hash("sha256", fourBytes, "hex"), size: 256 * 1024 };
}
