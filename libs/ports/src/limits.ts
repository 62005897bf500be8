/**
 * Every limit of the ports, with its reason. All sizes are bytes unless the name says otherwise.
 * An adapter may refuse less than these only through a declared capability, and never accepts more.
 */

/** The largest block: 16 MiB, so that a handful of blocks in flight fit in a small process. */
export const blockBytesMax = 16 * 1024 * 1024;

/** The largest frame of a bulk stream: 1 MiB, well under gRPC's default message limit of 4 MiB. */
export const frameBytesMax = 1024 * 1024;

/** The largest message on the wire: gRPC's own default, so that no client of any language needs an option. */
export const messageBytesMax = 4 * 1024 * 1024;

/** Entries in one full page of a manifest: about 44 KB packed, 512 MiB of content at the default chunk size. */
export const manifestPageEntries = 1024;

/** Keys in one question about presence: as many as fit a message with room to spare. */
export const keysPerCallMax = 16_384;

/** Blocks in one `putBlocks` call: its closing manifest is held in memory. */
export const blocksPerPutMax = 65_536;

/** A key of the key-value store, in bytes of UTF-8. */
export const keyValueKeyBytesMax = 1024;

/** A value of the key-value store: larger values belong in a blob. */
export const keyValueValueBytesMax = 1024 * 1024;

/** Operations in one atomic batch of the key-value store. */
export const keyValueBatchOperationsMax = 1024;

/** Keys and values of one atomic batch together: one message carries the whole batch. */
export const keyValueBatchBytesMax = 3 * 1024 * 1024;

/** Locators that one content key may have in the replica index. */
export const replicasPerKeyMax = 1024;

/** Disjoint spans that one locator may have in the range tracker. */
export const spansPerLocatorMax = 65_536;

/** A locator's path, in bytes of UTF-8: S3's limit for an object's key. */
export const locatorPathBytesMax = 1024;

/** One segment of a locator's path, in bytes of UTF-8: leaves a file system's 255 room for escapes. */
export const locatorSegmentBytesMax = 200;

/** Custom pairs in one set of attributes. */
export const attributePairsMax = 64;

/** All attributes of one blob together, in bytes of UTF-8. */
export const attributeBytesMax = 16 * 1024;
