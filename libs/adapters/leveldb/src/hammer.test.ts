import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { ClassicLevel } from "classic-level";
import { LevelDatabase } from "./database.ts";
import type { Driver } from "./driver.ts";
import { LevelKeyValueStore } from "./key-value-store.ts";
import { countRecords, testFolder } from "./testing/test-folder.ts";

const writesMax = 40_000;
const writers = 64;
const keys = Array.from({ length: 2048 }, (_, index) => `key ${String(index).padStart(4, "0")}`);
const fillings = Array.from({ length: 64 }, () => randomBytes(600).toString("latin1"));

// Small tables, so that compactions run all the time: they are what brings old values back (google/leveldb#320).
async function openSmall(folder: string): Promise<Driver> {
  const encodings = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
  const sizes = { writeBufferSize: 256 * 1024, maxFileSize: 1024 * 1024 };
  const driver = new ClassicLevel<Buffer, Buffer>(folder, { ...encodings, ...sizes });
  await driver.open();
  return driver;
}

test("Under tens of thousands of overwrites and deletes no open scan and no later read sees a wrong pair.", async () => {
  await using folder = await testFolder();
  const model = new Map<string, string>();
  {
    await using database = await LevelDatabase.open(folder.path, { openDriver: openSmall });
    await using store = new LevelKeyValueStore(database);
    await hammer(store, model);
    await expectPairs(store, model);
    expect(await countRecords(database, "undo")).toBe(0);
  }
  await using database = await LevelDatabase.open(folder.path);
  await using store = new LevelKeyValueStore(database);
  await expectPairs(store, model);
}, 180_000);

/** Writes from many sides while scans are open, each of which must see the pairs as they were when it began. */
async function hammer(store: LevelKeyValueStore, model: Map<string, string>): Promise<void> {
  let writes = 0;
  const pauses = new Pauses();
  const write = async (writer: number) => {
    for (let own = 0; writes < writesMax; own += 1) {
      await pauses.enter();
      const key = keys[(own % (keys.length / writers)) * writers + writer] ?? "";
      const value = `${writes} ${fillings[writes % fillings.length]}`;
      const remove = Math.random() < 0.3;
      writes += 1;
      await (remove ? store.delete(key) : store.put(key, Buffer.from(value)));
      if (remove) model.delete(key);
      else model.set(key, value);
      pauses.leave();
    }
  };
  const scan = async () => {
    while (writes < writesMax) {
      const pairs = store.scan({})[Symbol.asyncIterator]();
      const [first, expected] = await pauses.during(async () => [await pairs.next(), new Map(model)] as const);
      const seen = new Map<string, string>();
      for (let step = first; !step.done; step = await pairs.next()) {
        seen.set(step.value.key, Buffer.from(step.value.value).toString());
        if (seen.size % 200 === 0) await progress(() => writes);
      }
      expectSame(seen, expected);
    }
  };
  await Promise.all([...Array.from({ length: writers }, (_, writer) => write(writer)), scan(), scan(), scan()]);
}

/** Lets the writers get on, so that a scan stays open while most pairs change. */
async function progress(writes: () => number): Promise<void> {
  const goal = Math.min(writesMax, writes() + 300);
  while (writes() < goal) await new Promise((resolve) => setImmediate(resolve));
}

async function expectPairs(store: LevelKeyValueStore, model: ReadonlyMap<string, string>): Promise<void> {
  const scanned = new Map<string, string>();
  for await (const { key, value } of store.scan({})) scanned.set(key, Buffer.from(value).toString());
  expectSame(scanned, model);
  for (const key of keys) {
    const value = await store.get(key);
    expect(value === undefined ? undefined : Buffer.from(value).toString()).toBe(model.get(key));
  }
}

function expectSame(seen: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): void {
  const wrong = [...new Set([...seen.keys(), ...expected.keys()])].filter((key) => seen.get(key) !== expected.get(key));
  expect(wrong).toEqual([]);
  expect([...seen.keys()]).toEqual([...seen.keys()].sort());
}

/** Holds the writers up for moments in which none of them is at work. */
class Pauses {
  #held: Promise<void> | undefined;
  #running = 0;
  #idle: (() => void) | undefined;

  async enter(): Promise<void> {
    while (this.#held !== undefined) await this.#held;
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#idle?.();
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    while (this.#held !== undefined) await this.#held;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    await new Promise<void>((idle) => {
      this.#idle = idle;
      if (this.#running === 0) idle();
    });
    const result = await work();
    this.#held = undefined;
    resolve();
    return result;
  }
}
