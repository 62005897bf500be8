import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LevelDatabase } from "../database.ts";
import { type Driver, openDriver } from "../driver.ts";
import { recordRange, type Table } from "../tables.ts";

/** For tests: a new folder, removed with all that is in it. */
export async function testFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "graviton-leveldb-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** For tests: how many records a table has. */
export async function countRecords(database: LevelDatabase, table: Table): Promise<number> {
  const keys = await database.view((view) => view.keys({ ...recordRange(table), limit: 100_000 }));
  return keys.length;
}

/** For tests: opens LevelDB, and lets `batch` stand in front of every batch; it may fail it, or hold it up. */
export function openWatched(batch: (write: () => Promise<void>, count: number) => Promise<void>) {
  return async (folder: string): Promise<Driver> => {
    const driver = await openDriver(folder);
    return new Proxy(driver, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== "function") return member;
        if (name !== "batch") return member.bind(target);
        return (changes: unknown[], options: { sync?: boolean }) => {
          if (options.sync !== true) throw new Error("a batch that is not flushed");
          return batch(() => member.call(target, changes, options) as Promise<void>, changes.length);
        };
      },
    });
  };
}
