import { checkChecksum } from "./checksum.ts";

/** A pair as it is stored. */
export interface KeyValueRow {
  /** UTF-8. */
  readonly key: Buffer;
  readonly value: Buffer;
  readonly checksum: number;
}

/** @throws StorageError CORRUPT for a value that is not the one that was put */
export function checkedValue({ key, value, checksum }: KeyValueRow): Uint8Array {
  checkChecksum(key.toString(), key, value, checksum);
  return value;
}
