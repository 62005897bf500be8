import { partDoublingsMax, partsMax, partsOfOneSize } from "./limits.ts";

/** Bytes of a part of an upload whose first part has `partBytes`; the parts are numbered from 0. */
export function partBytesOf(index: number, partBytes: number): number {
  return partBytes * 2 ** Math.min(partDoublingsMax, Math.floor(index / partsOfOneSize));
}

/** Bytes that all parts of one upload hold. */
export function partsBytesMax(partBytes: number): number {
  return Array.from({ length: partsMax }, (_, index) => partBytesOf(index, partBytes)).reduce((a, b) => a + b);
}

/** Cuts a stream into parts, the last one shorter. The frames may be reused as soon as the next is asked for. */
export async function* partsOf(
  frames: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Buffer, void, void> {
  let pieces: Buffer[] = [];
  let gathered = 0;
  let wanted = partBytes;
  let index = 0;
  for await (const frame of frames) {
    for (let at = 0; at < frame.length; ) {
      const piece = Buffer.from(frame.subarray(at, at + wanted - gathered));
      pieces.push(piece);
      at += piece.length;
      gathered += piece.length;
      if (gathered < wanted) continue;
      yield Buffer.concat(pieces);
      index += 1;
      [pieces, gathered, wanted] = [[], 0, partBytesOf(index, partBytes)];
    }
  }
  if (gathered > 0) yield Buffer.concat(pieces);
}
