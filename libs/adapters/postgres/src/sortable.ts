/**
 * The cursor as Postgres' text, which cannot hold U+0000: U+0001 in its place. Where no name has either, as no key's
 * text and no path does, it stands between the same two names.
 */
export function sortable(cursor: string): string {
  return cursor.replaceAll("\0", "\x01");
}

/**
 * The first text behind all that begin with the prefix, in the order of code points, which is that of their UTF-8; null
 * when nothing comes behind them.
 */
export function afterPrefix(prefix: string): string | null {
  const characters = [...prefix];
  while (characters.at(-1) === lastCharacter) characters.pop();
  const last = characters.pop()?.codePointAt(0);
  return last === undefined ? null : characters.join("") + characterAfter(last);
}

const lastCharacter = "\u{10ffff}";

/** Surrogates are no characters. */
function characterAfter(codePoint: number): string {
  return String.fromCodePoint(codePoint === 0xd7ff ? 0xe000 : codePoint + 1);
}
