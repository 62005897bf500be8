/**
 * Compares two well-formed strings by their bytes in UTF-8, which is the order of their code points. JavaScript's own is
 * that of UTF-16, where the halves of what is beyond U+FFFF come before U+E000.
 *
 * @returns less than 0 when the first comes first, 0 when they are equal, else more than 0
 */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [first, second] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (first !== second) return rank(first) - rank(second);
  }
  return a.length - b.length;
}

/** The place of a unit of UTF-16 in the order of code points: halves of a pair behind all others. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x10000 : unit;
}
