/**
 * A `bigint[]` as Postgres receives it in binary, which the driver chooses for every parameter that is a Buffer. As text
 * each number would be written by the driver and read by Postgres. The format is that of `array_recv` in
 * src/backend/utils/adt/arrayfuncs.c of PostgreSQL: dimensions, whether there are nulls, the elements' type; length and
 * first subscript of each dimension; length and bytes of each element. Integers of four bytes, but for the elements.
 *
 * @param elements eight bytes each, the most significant first
 */
export function bigintArray(elements: Buffer): Buffer {
  const length = elements.length / 8;
  const bytes = Buffer.alloc(headBytes + length * 12);
  for (const [at, word] of [1, 0, bigintType, length, 1].entries()) bytes.writeInt32BE(word, at * 4);
  const [from, to] = [wordsOf(elements), wordsOf(bytes)];
  for (let at = 0, word = headBytes / 4; at < from.length; at += 2, word += 3) {
    bytes[word * 4 + 3] = 8;
    to[word + 1] = from[at] as number;
    to[word + 2] = from[at + 1] as number;
  }
  return bytes;
}

/** The same memory by four bytes at a time, to copy it fast. The buffer must begin at such a boundary. */
export function wordsOf({ buffer, byteOffset, length }: Buffer): Int32Array {
  return new Int32Array(buffer, byteOffset, length / 4);
}

const headBytes = 20;

/** The row of `bigint` in pg_type. */
const bigintType = 20;
