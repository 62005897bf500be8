/** Blocks that one driver has open at once, read or written: far below the usual limit of 1,024 handles a process. */
export const openBlocksMax = 64;

/** Questions about presence under way at once: libuv answers a handful at a time, more would only queue there. */
export const presenceChecksMax = 32;

/** Objects that one store has open at once. A slow reader holds its object open, so one over the limit is refused, not kept waiting. */
export const openObjectsMax = 512;

/** Bytes that one read of an object asks for, and so the largest frame: what a slow reader costs in memory. */
export const objectFrameBytes = 256 * 1024;

/** How long a temporary file of another machine is left alone, in milliseconds: longer than any upload takes. */
export const foreignTemporaryAgeMsMax = 24 * 60 * 60 * 1000;

/** How often a put makes its folder again while deletes keep removing it as empty. */
export const publishAttemptsMax = 32;

/** When to try again after the disk was full, in milliseconds: somebody has to make room. */
export const diskFullRetryAfterMs = 5000;

/** When to try again after file handles ran out, in milliseconds: others finish soon. */
export const handlesRetryAfterMs = 250;
