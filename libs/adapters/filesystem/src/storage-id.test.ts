import { randomUUID } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FilesystemBlockDriver } from "./block-driver.ts";

let folder: string;
beforeEach(() => {
  folder = join(tmpdir(), `graviton-filesystem-${randomUUID()}`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("The id of a storage", () => {
  test("is the same for all who ask, also for the first at once, and leaves nothing temporary.", async () => {
    const drivers = await Promise.all(Array.from({ length: 8 }, () => FilesystemBlockDriver.open(folder)));
    const ids = await Promise.all(drivers.map((driver) => driver.id()));
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(1);
    expect(await (await FilesystemBlockDriver.open(folder)).id()).toBe(ids[0]);
    expect(await readdir(join(folder, "temporary"))).toEqual([]);
  });

  test("is another one in another folder, also in one that has come to the same path.", async () => {
    const driver = await FilesystemBlockDriver.open(folder);
    const id = await driver.id();
    const aside = `${folder}-aside`;
    await rename(folder, aside);
    try {
      await FilesystemBlockDriver.open(folder);
      expect(await driver.id()).toMatch(/^[0-9a-f]{32}$/);
      expect(await driver.id()).not.toBe(id);
      expect(await (await FilesystemBlockDriver.open(aside)).id()).toBe(id);
    } finally {
      await rm(aside, { recursive: true });
    }
  });

  test("is UNAVAILABLE where the folder is gone.", async () => {
    const driver = await FilesystemBlockDriver.open(folder);
    await rm(folder, { recursive: true });
    await expect(driver.id()).rejects.toMatchObject({ reason: "UNAVAILABLE" });
  });
});
