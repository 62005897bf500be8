import { CommandError } from "./failure.ts";

const escapes: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, "0": 0x00, "\\": 0x5c };

/**
 * The bytes of a delimiter as the command line writes it: text in UTF-8 with `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH`.
 *
 * @throws CommandError INVALID_ARGUMENT for any other escape
 */
export function parseDelimiter(text: string): Uint8Array {
  const parts = text.match(/\\x[0-9a-fA-F]{2}|\\.|\\$|[^\\]+/gsu) ?? [];
  return Buffer.concat(parts.map((part) => (part.startsWith("\\") ? escaped(part) : Buffer.from(part))));
}

function escaped(part: string): Uint8Array {
  const byte = part.length === 4 ? Number.parseInt(part.slice(2), 16) : escapes[part.slice(1)];
  if (byte !== undefined) return Uint8Array.of(byte);
  throw new CommandError(
    "INVALID_ARGUMENT",
    `unknown escape ${part} in the delimiter: use \\n \\r \\t \\0 \\\\ or \\xHH`,
  );
}
