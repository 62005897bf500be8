/** How far a transfer is. */
export interface Progress {
  /** Bytes so far. A put that has to begin again begins again at 0. */
  readonly bytes: number;
  /** Bytes in all; undefined for a stream, whose end nobody knows. */
  readonly totalBytes: number | undefined;
}

/** Hears of every piece of a transfer as it passes. What it throws ends the transfer. */
export type ProgressListener = (progress: Progress) => void;

/** Hands the bytes on, and tells the listener of each piece. */
export async function* observed(
  source: AsyncIterable<Uint8Array>,
  totalBytes: number | undefined,
  listener: ProgressListener,
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    listener({ bytes, totalBytes });
    yield piece;
  }
}
