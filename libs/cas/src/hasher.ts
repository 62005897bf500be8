import { createHash } from "node:crypto";
import type { HashAlgorithm, Key } from "@graviton/ports/key";
import { Blake3Hasher } from "@napi-rs/blake-hash";

/** Hashes a stream. Update it with any pieces, ask for the digest once; `reset` makes it new again. */
export interface Hasher {
  /** Adds the next bytes. They may be reused as soon as it returns. */
  update(bytes: Uint8Array): void;
  /** The digest of all bytes since the last reset, 64 lower-case hexadecimal digits. Reset it before the next update. */
  digest(): string;
  /** Forgets all bytes. */
  reset(): void;
}

/** A new hasher. */
export function createHasher(algorithm: HashAlgorithm): Hasher {
  return algorithm === "blake3" ? createBlake3() : createSha256();
}

const whole: Record<HashAlgorithm, Hasher> = { blake3: createBlake3(), sha256: createSha256() };

/** The key of bytes that are all at hand. */
export function keyOf(algorithm: HashAlgorithm, bytes: Uint8Array): Key {
  const hasher = whole[algorithm];
  hasher.reset();
  hasher.update(bytes);
  return { algorithm, digest: hasher.digest(), size: bytes.length };
}

function createBlake3(): Hasher {
  const hasher = new Blake3Hasher();
  return {
    update: (bytes) => void hasher.update(bytes),
    digest: () => hasher.digest("hex"),
    reset: () => hasher.reset(),
  };
}

function createSha256(): Hasher {
  let hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest("hex"),
    reset: () => {
      hash = createHash("sha256");
    },
  };
}
