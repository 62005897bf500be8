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
  let index = 0;
  // Most streams are short. One that has filled a part is not, and has room for the next one at once.
  let part = new Part(partBytesOf(index, partBytes), 0);
  for await (const frame of frames) {
    for (let at = 0; at < frame.length; ) {
      at += part.take(frame.subarray(at));
      if (part.missing > 0) continue;
      yield part.bytes;
      index += 1;
      const bytesMax = partBytesOf(index, partBytes);
      part = new Part(bytesMax, bytesMax);
    }
  }
  if (part.bytes.length > 0) yield part.bytes;
}

/** A part that is gathered: in one place from the beginning, so that it never is in memory twice over. */
class Part {
  readonly #bytesMax: number;
  #room: Buffer;
  #gathered = 0;

  constructor(bytesMax: number, roomBytes: number) {
    this.#bytesMax = bytesMax;
    this.#room = Buffer.allocUnsafeSlow(roomBytes);
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#gathered);
  }

  /** Bytes until it is full. */
  get missing(): number {
    return this.#bytesMax - this.#gathered;
  }

  /** Takes as many of the bytes as are missing, and tells how many that is. */
  take(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.missing);
    this.#makeRoom(this.#gathered + taken.length);
    this.#room.set(taken, this.#gathered);
    this.#gathered += taken.length;
    return taken.length;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#room.length) return;
    const room = Buffer.allocUnsafeSlow(Math.min(this.#bytesMax, Math.max(bytes, 2 * this.#room.length)));
    this.bytes.copy(room);
    this.#room = room;
  }
}
