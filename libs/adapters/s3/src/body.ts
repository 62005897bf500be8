import type { S3Body } from "./bucket.ts";
import { s3Error } from "./errors.ts";

/**
 * All of a body, or its first `bytesMax` bytes.
 *
 * @throws StorageError UNAVAILABLE when the connection breaks before its end
 */
export async function readBody(body: S3Body, bytesMax: number, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(body.size, bytesMax));
  let filled = 0;
  for await (const chunk of framesOf(body, 0, signal)) {
    filled += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).copy(bytes, filled);
    if (filled === bytes.length) break;
  }
  return bytes;
}

/**
 * The bytes of a body, gathered into frames of `frameBytes` or a little more. Whichever way it ends, the body is
 * destroyed, and its connection free.
 *
 * @throws StorageError UNAVAILABLE when the connection breaks before its end, after all bytes that came
 */
export async function* framesOf(
  { stream, size }: S3Body,
  frameBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const chunks = stream[Symbol.asyncIterator]();
  let pieces: Buffer[] = [];
  let gathered = 0;
  let left = size;
  try {
    while (left > 0) {
      const chunk = await nextOf(chunks, signal);
      if (!Error.isError(chunk)) {
        pieces.push(chunk);
        gathered += chunk.length;
        left -= chunk.length;
        // Reading past the last byte makes the connection free for others, however long the last frame is looked at.
        if (left <= 0) await nextOf(chunks, signal);
        else if (gathered < frameBytes) continue;
      }
      if (gathered > 0) yield Buffer.concat(pieces, gathered);
      if (Error.isError(chunk)) throw chunk;
      [pieces, gathered] = [[], 0];
    }
  } finally {
    stream.destroy();
  }
}

/** The next bytes, or why there are none. */
async function nextOf(chunks: AsyncIterator<Buffer>, signal: AbortSignal | undefined): Promise<Buffer | Error> {
  try {
    const step = await chunks.next();
    if (!step.done) return step.value;
    return s3Error(Object.assign(new Error("the body ended early"), { code: "ECONNRESET" }), signal) as Error;
  } catch (error) {
    return s3Error(error, signal) as Error;
  }
}
