import { StorageError } from "@graviton/ports/storage-error";
import type { LevelDatabase } from "./database.ts";
import { recordKey, recordRange } from "./tables.ts";
import { put } from "./update.ts";

const format = "graviton-leveldb 1";

/**
 * Checks that a database is of this format, and marks an empty one with it.
 *
 * @throws StorageError UNSUPPORTED for another format, and for records of none: it is never guessed
 */
export async function claimFormat(database: LevelDatabase): Promise<void> {
  const key = recordKey("meta", "format");
  const found = (await database.get(key))?.toString();
  if (found === format) return;
  if (found !== undefined) {
    throw refusal(database, `has the format ${JSON.stringify(found)}: use the version that wrote it`);
  }
  const { gte } = recordRange("meta");
  const records = await database.view((view) => view.keys({ gte, lt: Buffer.of(0xff), limit: 1 }));
  if (records.length > 0) {
    throw refusal(database, "has records, but none that says their format: give an empty folder or the right one");
  }
  await database.update({ changes: () => [put(key, Buffer.from(format))] });
}

function refusal({ folder }: LevelDatabase, why: string): StorageError {
  return new StorageError("UNSUPPORTED", `database ${folder} ${why}. This version reads ${format}`, {
    resource: folder,
  });
}
