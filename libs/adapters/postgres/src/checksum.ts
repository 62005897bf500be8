import { crc32 } from "node:zlib";
import { StorageError } from "@graviton/ports/storage-error";

/** CRC-32 of a name and what is stored under it, as Postgres' signed integer. The name in it tells a value that ended up elsewhere. */
export function checksumOf(name: Uint8Array | string, content: Uint8Array): number {
  return crc32(content, crc32(name)) | 0;
}

/** @throws StorageError CORRUPT unless name and content are those that were stored */
export function checkChecksum(resource: string, name: Uint8Array | string, content: Uint8Array, stored: number): void {
  if (checksumOf(name, content) === stored) return;
  throw new StorageError("CORRUPT", `what is stored of ${JSON.stringify(resource)} is damaged`, { resource });
}
