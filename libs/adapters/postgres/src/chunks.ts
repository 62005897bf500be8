import type { Part } from "./parts.ts";

/** Cuts a stream into parts of `chunkBytes`, the last one shorter. The frames may be reused as soon as the next is asked for. */
export async function* chunksOf(
  frames: AsyncIterable<Uint8Array>,
  chunkBytes: number,
): AsyncGenerator<Part, void, void> {
  let pieces: Buffer[] = [];
  let pending = 0;
  let firstOffset = 0;
  for await (const frame of frames) {
    for (let at = 0; at < frame.length; ) {
      const piece = Buffer.from(frame.subarray(at, at + chunkBytes - pending));
      pieces.push(piece);
      at += piece.length;
      pending += piece.length;
      if (pending < chunkBytes) continue;
      yield { firstOffset, content: Buffer.concat(pieces) };
      firstOffset += pending;
      [pieces, pending] = [[], 0];
    }
  }
  if (pending > 0) yield { firstOffset, content: Buffer.concat(pieces) };
}
