/** Requests that one process has in flight, and so its connections, when nobody says otherwise. */
export const requestsMaxDefault = 64;

/** The least that `requestsMax` may be: half of the requests may be bodies that wait for their reader, and others must get through. */
export const requestsMaxLeast = 2;

/** How often the driver tries one request, the first time included. */
export const attemptsMax = 3;

/** How long a connection may take to come about, in milliseconds: far longer than any network needs. */
export const connectTimeoutMs = 5000;

/** How long a connection may be silent while an answer is awaited, in milliseconds. */
export const silenceMsMax = 60_000;

/**
 * The same while S3 copies what it has, to make an object of parts or of another object, in milliseconds. Some say nothing
 * until they are done, and 160 GB take a slow disk that long.
 */
export const copyingMsMax = 600_000;

/** The first pause before looking again whether S3 has made an object of its parts, in milliseconds; it doubles each time. */
export const outcomePauseMs = 25;

/** The longest such pause, in milliseconds. */
export const outcomePauseMsMax = 5000;

/** When to try again after S3 asked to slow down, in milliseconds. */
export const slowDownRetryAfterMs = 1000;

/** When to try again after S3 was unreachable or full, in milliseconds: somebody has to act. */
export const downRetryAfterMs = 2000;

/** How long the bucket counts as there once it was seen, in milliseconds: one question a second is no load. */
export const bucketSeenMs = 1000;

/** How often a write that met a concurrent one is tried. */
export const conflictAttemptsMax = 6;

/** The first pause before trying again, in milliseconds; it doubles each time, and a random part of it is waited. */
export const conflictPauseMs = 20;

/** Blocks at work at once in one call. */
export const blocksAtOnce = 32;

/** Questions about presence at once in one call: more would only wait in line for a connection. */
export const questionsAtOnce = 64;

/** How often it is tried to see whether S3 heeds the condition of a write, when nothing is seen. */
export const offersAgainMax = 3;

/** How often a block is read whose connection breaks midway, the first time included. */
export const blockReadsMax = 2;

/** How often a read goes on after its connection broke, without a byte in between. */
export const resumesMax = 3;

/** Bytes of one frame of an object that is read, give or take what one read of the connection brings. */
export const objectFrameBytes = 256 * 1024;

/** Objects of one page of a listing: as many as S3 gives at most. */
export const listPageObjects = 1000;

/** The longest prefix of all keys, in bytes: what the longest key of an object leaves of S3's 1,024. */
export const prefixBytesMax = 64;

/** The longest key of an object below its bucket, in bytes; of a longer one only the beginning is in the key. */
export const objectKeyBytesMax = 800;

/** The first part of a large object, and the largest object that is put in one request. S3 wants 5 MiB or more. */
export const partBytesDefault = 8 * 1024 * 1024;

/** Parts of one upload: S3's limit. */
export const partsMax = 10_000;

/** After so many parts each further one is twice as large, so that the number of parts is enough for 500 GB. */
export const partsOfOneSize = 1000;

/** How often parts grow to twice their size: to 64 MiB, which bounds the memory of one put. */
export const partDoublingsMax = 3;

/** Parts of one object that are in memory at once: on their way, or being gathered. */
export const partsAtOnce = 2;

/** How old an upload is when nobody is at it any more, and how often such ones are looked for, in milliseconds: a day. */
export const abandonedMsMin = 24 * 60 * 60 * 1000;

/** Pages of 1,000 uploads that are looked through for such ones: what is beyond is found once these are gone. */
export const abandonedPagesMax = 100;

/** The largest object that one request copies. Of a larger one S3 copies parts side by side, and is not silent for long. */
export const copyBytesMaxDefault = 1024 ** 3;

/** Bytes that one request copies of an object larger than that: 10,000 of them are more than S3's largest object. */
export const copyPartBytesDefault = 1024 ** 3;

/** How long tidying up after a failed upload may take, in milliseconds. */
export const abandonMsMax = 10_000;

/** How long a put that was given up waits for its requests on their way, in milliseconds: one part's time. */
export const patienceMs = 5000;
