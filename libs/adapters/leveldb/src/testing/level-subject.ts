import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Harness, Subject } from "@graviton/conformance/contract";
import { levelCapabilities } from "../capabilities.ts";
import { LevelDatabase } from "../database.ts";
import { type Driver, openDriver } from "../driver.ts";

/**
 * For tests: a store on a database of its own, in a folder of its own. Damage goes past the store: it flips the lowest
 * bit of the stored value, through the very LevelDB that the store has open, since nobody else may open it.
 *
 * @param make the store on a database, which it closes with itself
 * @param recordOf the record that damage to a name means
 */
export function levelSubject<Port extends AsyncDisposable>(
  name: string,
  make: (database: LevelDatabase, close: () => Promise<void>) => Port,
  recordOf: (name: string) => Buffer,
): Subject<Port> {
  return {
    name,
    capabilities: levelCapabilities,
    isolated: true,
    damageable: true,
    async start(): Promise<Harness<Port>> {
      const folder = await mkdtemp(join(tmpdir(), "graviton-leveldb-"));
      let driver: Driver | undefined;
      const open = async (path: string) => (driver = await openDriver(path));
      return {
        open: async () => {
          const database = await LevelDatabase.open(folder, { openDriver: open });
          return make(database, () => database[Symbol.asyncDispose]());
        },
        damage: (name) => flipBit(driver as Driver, recordOf(name)),
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
      };
    },
  };
}

/** Flips the lowest bit of the last byte that is stored under a key. */
export async function flipBit(driver: Driver, key: Buffer): Promise<void> {
  const stored = await driver.get(key);
  if (stored === undefined) throw new Error(`there is no record ${key.toString("hex")} to damage`);
  stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1;
  await driver.put(key, stored);
}
