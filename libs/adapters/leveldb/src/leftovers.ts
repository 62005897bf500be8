import type { LevelDatabase } from "./database.ts";
import { removalRecordsMax } from "./limits.ts";
import { recordKey, recordRange } from "./tables.ts";
import { del } from "./update.ts";

/** Removes what no process will ask for any more: old values kept for scans, and pages of unfinished manifests. */
export async function removeLeftovers(database: LevelDatabase): Promise<void> {
  await database.remove(recordRange("undo"));
  const range = recordRange("loosePages");
  for (;;) {
    const keys = await database.view((view) => view.keys({ ...range, limit: removalRecordsMax }));
    if (keys.length === 0) return;
    for (const key of keys) await removeLoosePages(database, key.subarray(1));
  }
}

/** Removes the pages of a generation that is recorded as loose, and then the record. */
export async function removeLoosePages(database: LevelDatabase, generation: Uint8Array): Promise<void> {
  await database.remove(recordRange("pages", generation));
  await database.update({ changes: () => [del(recordKey("loosePages", generation))] });
}
