import { StorageError } from "@graviton/ports/storage-error";
import { crc32c } from "@node-rs/crc32";
import { recordName } from "./tables.ts";

const checksumBytes = 4;

/**
 * A value as it is stored: CRC-32C of key and content, then the content. LevelDB checks no checksum when it reads, and
 * the key in it tells a value that ended up under another key.
 */
export function sealed(key: Uint8Array, ...content: readonly Uint8Array[]): Buffer {
  const stored = Buffer.concat([Buffer.alloc(checksumBytes), ...content]);
  stored.writeUInt32LE(checksum(key, stored));
  return stored;
}

/**
 * The content of a stored value.
 *
 * @throws StorageError CORRUPT when key and content are not those that were stored
 */
export function unsealed(key: Buffer, stored: Buffer): Buffer {
  if (stored.length < checksumBytes || stored.readUInt32LE() !== checksum(key, stored)) {
    const name = recordName(key);
    throw new StorageError("CORRUPT", `the stored value of ${JSON.stringify(name)} is damaged`, { resource: name });
  }
  return stored.subarray(checksumBytes);
}

function checksum(key: Uint8Array, stored: Buffer): number {
  return crc32c(stored.subarray(checksumBytes), crc32c(key));
}
