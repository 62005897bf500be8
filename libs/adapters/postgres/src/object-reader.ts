import { type ByteRange, type ByteSpan, resolveRange } from "@graviton/ports/byte-range";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import type { PostgresDatabase } from "./database.ts";
import { objectChunkBytes, objectChunksPerRead } from "./limits.ts";
import { findObject, type ObjectRow, objectTables } from "./object-rows.ts";
import { type Part, type Reader, readParts } from "./parts.ts";

/**
 * The bytes of one version of an object. What fits one statement is read by one; a longer read holds a snapshot, so
 * that the version stays there for it however the object is replaced or deleted.
 *
 * @throws StorageError NOT_FOUND, OUT_OF_RANGE
 */
export async function* readObject(
  database: PostgresDatabase,
  locator: Locator,
  range: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const object = await findObject(database, locator, signal);
  const span = resolveRange(range, object.size, formatLocator(locator));
  const frames = isShort(span) ? await readAtOnce(database, locator, object, span, signal) : undefined;
  if (frames !== undefined) {
    yield* frames;
    return;
  }
  await using snapshot = await database.snapshot(signal);
  const current = await findObject(snapshot, locator);
  const currentSpan = resolveRange(range, current.size, formatLocator(locator));
  yield* framesOf(snapshot, locator, current, currentSpan, () => lostChunks(locator));
}

/** True when the span lies in as few chunks as one statement reads. */
function isShort({ start, end }: ByteSpan): boolean {
  return end - start <= objectChunkBytes * (objectChunksPerRead - 1);
}

/** All frames, or undefined when the object was replaced or deleted before they were read. */
async function readAtOnce(
  database: PostgresDatabase,
  locator: Locator,
  object: ObjectRow,
  span: ByteSpan,
  signal: AbortSignal | undefined,
): Promise<Uint8Array[] | undefined> {
  let gone = false;
  const vanished = () => {
    gone = true;
    return lostChunks(locator);
  };
  try {
    return await Array.fromAsync(framesOf(database, locator, object, span, vanished, signal));
  } catch (error) {
    if (gone) return undefined;
    throw error;
  }
}

async function* framesOf(
  reader: Reader,
  locator: Locator,
  { version }: ObjectRow,
  span: ByteSpan,
  vanished: () => StorageError,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const endOf = ({ firstOffset, content }: Part) => firstOffset + content.length;
  const range = { resource: formatLocator(locator), version, span, limit: objectChunksPerRead, endOf, vanished };
  for await (const { firstOffset, content } of readParts(reader, objectTables, range, signal)) {
    yield content.subarray(Math.max(0, span.start - firstOffset), span.end - firstOffset);
  }
}

function lostChunks(locator: Locator): StorageError {
  const text = formatLocator(locator);
  return new StorageError("CORRUPT", `the object at ${text} has lost some of its bytes`, { resource: text });
}
