/** Connections for short calls when nobody says otherwise; reads that hold a snapshot have as many of their own. */
export const poolMaxDefault = 10;

/** How long a call waits for a connection, in milliseconds: longer than a restart of a pooler, shorter than a caller's patience. */
export const connectionTimeoutMsDefault = 5000;

/** How long one statement may run, in milliseconds: none writes, reads, copies or removes more than a few megabytes. */
export const statementTimeoutMsDefault = 30_000;

/** How long a connection is silent before the system asks whether its other end is there, in milliseconds. */
export const keepAliveDelayMs = 10_000;

/** How long a reader that holds a snapshot may pause, in milliseconds: until then no vacuum removes what it may still read. */
export const snapshotIdleTimeoutMsDefault = 60_000;

/** How often a change that met a concurrent one is tried. */
export const attemptsMax = 6;

/** The first pause before trying again, in milliseconds; it doubles each time, and a random part of it is waited. */
export const retryPauseMs = 10;

/** When to try again after connections ran out, in milliseconds: others finish soon. */
export const busyRetryAfterMs = 250;

/** When to try again after the database was full or unreachable, in milliseconds: somebody has to act. */
export const downRetryAfterMs = 2000;

/** Manifest pages that one statement writes: 600 KB, and just as many keys in its question about blocks as one call may have. */
export const manifestPagesPerWrite = 16;

/** Manifest pages that a reader holds at once. */
export const manifestPagesPerRead = 8;

/** Bytes of one row of an object: half a frame, since the driver doubles them as text while it reads. */
export const objectChunkBytes = 512 * 1024;

/** Chunks of an object that one statement writes. */
export const objectChunksPerWrite = 4;

/** Chunks of an object that a reader holds at once. */
export const objectChunksPerRead = 4;

/** Parts of a version that one statement copies or removes: 8 MiB of an object. Its trigger knows the number too. */
export const partsPerStatement = 16;

/** Versions that nobody needs any more which one statement looks for. */
export const versionsPerSearch = 100;

/** Rows of a listing or a scan that are read at once. */
export const rowsPerRead = 256;

/** Bytes of values that one read of a scan brings into memory, give or take one value. */
export const scanBytesPerRead = 1024 * 1024;

/** Hours after which an upload that wrote nothing counts as abandoned, and what it had written is removed. */
export const abandonedAfterHours = 24;
