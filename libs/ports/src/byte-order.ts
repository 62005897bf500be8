/** Compares two strings by their bytes in UTF-8. JavaScript's own order is that of UTF-16 and differs beyond U+FFFF. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
