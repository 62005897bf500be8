/**
 * An `integer[]` as Postgres receives it in binary, which the driver chooses for every parameter that is a Buffer. As
 * text each number would be quoted by the one and read by the other. The format is that of `array_recv` in
 * src/backend/utils/adt/arrayfuncs.c of PostgreSQL: dimensions, whether there are nulls, the elements' type; length and
 * first subscript of each dimension; length and bytes of each element. All are integers of four bytes.
 */
export function integerArray(values: Int32Array): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + values.length * elementBytes);
  for (const [at, word] of [1, 0, integerType, values.length, 1].entries()) bytes.writeInt32BE(word, at * 4);
  for (let at = 0, offset = headBytes; at < values.length; at += 1, offset += elementBytes) {
    bytes.writeInt32BE(4, offset);
    bytes.writeInt32BE(values[at] as number, offset + 4);
  }
  return bytes;
}

const headBytes = 20;
const elementBytes = 8;

/** The row of `integer` in pg_type. */
const integerType = 23;
