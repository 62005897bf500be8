/**
 * The cursor as Postgres' text, which cannot hold U+0000: U+0001 in its place. Where no name has either, as no key's
 * text and no path does, it stands between the same two names.
 */
export function sortable(cursor: string): string {
  return cursor.replaceAll("\0", "\x01");
}
