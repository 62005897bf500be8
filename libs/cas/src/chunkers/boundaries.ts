/**
 * Where the blocks of one stream end: what tells one chunker from another. It sees each byte once, in order; the
 * blocks themselves are cut by `BlockCutter`.
 */
export interface Boundaries {
  /** No block is longer. What is left over at the end of the stream is cut at this length. */
  readonly maximumBytes: number;

  /**
   * Looks at the next bytes of the stream and gives the end of each block as soon as it is known.
   *
   * All positions count from the first of `bytes`: `start`, where the block in progress begins, is 0 or less, and an
   * end may be as well, when a block is known to have ended only by the bytes behind it.
   */
  ends(bytes: Uint8Array, start: number): Iterable<number>;
}
