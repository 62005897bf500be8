/** What LevelDB gathers in memory before it writes a table, in bytes: large values cost a fifth of what they do at its own 4 MiB. */
export const writeBufferBytes = 64 * 1024 * 1024;

/** Updates that become durable by one flush. */
export const groupUpdatesMax = 1024;

/** Bytes of one flushed batch: past it the next update waits for the next batch. */
export const groupBytesMax = 8 * 1024 * 1024;

/** Bytes that one read of a range brings into memory, give or take one value. */
export const pageBytesMax = 1024 * 1024;

/** Records of a scan or a listing that are read at once. */
export const pageRecordsMax = 256;

/** Records that one batch of a clean-up removes. */
export const removalRecordsMax = 1024;

/** Scans that may be open at once: each one makes every write below it keep the old value for it. */
export const openScansMax = 256;

/** When to try again after the disk was full, in milliseconds: somebody has to make room. */
export const diskFullRetryAfterMs = 5000;

/** When to try again after handles or scans ran out, in milliseconds: others finish soon. */
export const busyRetryAfterMs = 250;

/** Free space that opening the database again needs besides a copy of its log, in bytes. */
export const reopenSpareBytes = 1024 * 1024;

/** Manifest pages that one flush makes durable: 600 KB, so that a manifest of a million blocks takes some sixty flushes. */
export const manifestPagesPerBatch = 16;

/** Manifest pages that a reader holds at once. */
export const manifestPagesPerRead = 8;
