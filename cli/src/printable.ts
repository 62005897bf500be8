const controls = /[\p{Cc}\u2028\u2029]/gu;

/** Text from outside as one line that no terminal obeys: what has control characters is quoted as JSON does. */
export function printable(text: string): string {
  return text.search(controls) < 0 ? text : harmless(JSON.stringify(text));
}

/** The text with an escape for each control character: JSON leaves some of them as they are, which terminals obey. */
export function harmless(text: string): string {
  return text.replaceAll(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
