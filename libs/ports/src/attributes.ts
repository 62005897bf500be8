import type { Key } from "./key.ts";
import { attributeBytesMax, attributePairsMax } from "./limits.ts";
import { StorageError } from "./storage-error.ts";

/** What a writer says about a blob. Advertised: the store keeps it and gives it back, and does not vouch for it. */
export interface Attributes {
  /** A media type, RFC 9110 §8.3. */
  readonly contentType?: string | undefined;
  /** A file name or title. */
  readonly name?: string | undefined;
  /** Anything else. */
  readonly custom?: Readonly<Record<string, string>> | undefined;
}

/** What the store itself found out about a blob, and vouches for. */
export interface ConfirmedAttributes {
  /** The key that all bytes together hash to; its size is their number. */
  readonly key: Key;
  /** Entries of the manifest. */
  readonly blockCount: number;
  /** When the manifest was committed first, in milliseconds since 1970. */
  readonly createdAt: number;
}

/**
 * @throws StorageError INVALID_ARGUMENT for control characters, text that is not well-formed Unicode, or an empty
 * custom name
 * @throws StorageError TOO_LARGE over `attributePairsMax` or `attributeBytesMax`
 */
export function checkAttributes(attributes: Attributes): Attributes {
  const custom = Object.entries(attributes.custom ?? {});
  const texts = [attributes.contentType ?? "", attributes.name ?? "", ...custom.flat()];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (custom.length > attributePairsMax) {
    throw new StorageError(
      "TOO_LARGE",
      `${custom.length} custom attributes are over attributePairsMax, ${attributePairsMax}`,
    );
  }
  if (bytes > attributeBytesMax) {
    throw new StorageError(
      "TOO_LARGE",
      `attributes of ${bytes} bytes are over attributeBytesMax, ${attributeBytesMax}`,
    );
  }
  const malformed = texts.find((text) => !text.isWellFormed() || hasControl(text));
  if (malformed !== undefined) {
    throw new StorageError(
      "INVALID_ARGUMENT",
      `attribute ${JSON.stringify(malformed)} has characters that are not text`,
    );
  }
  if (custom.some(([name]) => name === "")) {
    throw new StorageError("INVALID_ARGUMENT", "a custom attribute needs a name");
  }
  return attributes;
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
