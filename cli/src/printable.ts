/** Text from outside as one line that no terminal obeys: what has control characters is quoted as JSON does. */
export function printable(text: string): string {
  return /[\p{Cc}\u2028\u2029]/u.test(text) ? quoted(text) : text;
}

/** JSON leaves the control characters from U+007F to U+009F as they are; terminals obey some of them. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
