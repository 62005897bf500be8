import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasReason } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { LevelKeyValueStore } from "./key-value-store.ts";
import { canMountTinyDisk, mountTinyDisk } from "./testing/tiny-disk.ts";

const possible = canMountTinyDisk();
const says = "On a full disk a put is EXHAUSTED, what is stored stays readable, and puts succeed once there is room.";

(possible ? test : test.skip)(
  possible ? says : `${says} (skipped: only root may mount the small disk it needs)`,
  async () => {
    using disk = mountTinyDisk(16);
    const folder = join(disk.path, "database");
    const ballast = join(disk.path, "ballast");
    await writeFile(ballast, Buffer.alloc(10 * 1024 * 1024));
    const stored = new Map<string, Buffer>();
    {
      await using store = await LevelKeyValueStore.open(folder);
      const put = async (name: string) => {
        const value = randomBytes(50_000);
        await store.put(name, value);
        stored.set(name, value);
      };
      const fill = async () => {
        for (let index = 0; ; index += 1) await put(`first ${index}`);
      };
      await expect(fill()).rejects.toMatchObject({ reason: "EXHAUSTED", retryAfterMs: expect.any(Number) });
      expect(stored.size).toBeGreaterThan(50);
      await expect(put("while it is full")).rejects.toMatchObject({ reason: "EXHAUSTED" });
      await expectStored(store, stored);

      await rm(ballast);
      for (let index = 0; index < 10; index += 1) await put(`second ${index}`);
      await expectStored(store, stored);
    }
    await using again = await LevelKeyValueStore.open(folder).catch((error: unknown) => {
      throw hasReason(error, "EXHAUSTED") ? new Error("the disk is too small for this test", { cause: error }) : error;
    });
    await expectStored(again, stored);
  },
);

async function expectStored(store: LevelKeyValueStore, stored: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [name, value] of stored) {
    const found = await store.get(name);
    expect(found !== undefined && value.equals(found)).toBe(true);
  }
}
