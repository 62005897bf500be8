import type { ByteSpan } from "@graviton/ports/byte-range";
import { StorageError } from "@graviton/ports/storage-error";

const single = /^bytes=\s*(?:(\d{1,16})-(\d{0,16})|-(\d{1,16}))\s*$/;

/**
 * The span that a `Range` header asks for, RFC 9110 §14.2. Undefined where the whole is the right answer: no header,
 * another unit, a malformed one, or several ranges at once, which a server may ignore.
 *
 * @throws StorageError OUT_OF_RANGE when no byte of the range exists
 */
export function spanOfRangeHeader(header: string | undefined, size: number): ByteSpan | undefined {
  const match = single.exec(header ?? "");
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const start = Math.max(0, size - Number(suffix));
    if (Number(suffix) === 0 || size === 0) throw unsatisfiable(header, size);
    return { start, end: size };
  }
  const start = Number(first);
  const end = last === undefined || last === "" ? size : Math.min(size, Number(last) + 1);
  if (last !== undefined && last !== "" && Number(last) < start) return undefined;
  if (start >= size) throw unsatisfiable(header, size);
  return { start, end };
}

function unsatisfiable(header: string | undefined, size: number): StorageError {
  return new StorageError("OUT_OF_RANGE", `range ${JSON.stringify(header)} has no byte of the ${size} there are`);
}
