import { formatLocator, type Locator } from "@graviton/ports/locator";
import { createLog } from "@graviton/service/log";
import { readConfig } from "@graviton/service/settings";
import { expect, test } from "@jest/globals";
import { BlockLocation } from "./block-location.ts";

const here: Locator = { scheme: "fs", bucket: "machine", path: "here" };
const there: Locator = { ...here, path: "there" };

test("A location is logged when it is found first and when it changes, and stays while the storage does not say.", async () => {
  const { location, lines } = logged();
  for (const found of [here, here, there, undefined, there, here]) {
    await location.find(async () => found ?? Promise.reject(new Error("away")));
    expect(location.found).toEqual(found ?? there);
  }
  expect(lines.map((line) => line.location)).toEqual([here, there, here].map(formatLocator));
});

test("A storage that does not say where it is, but answers, is warned of once.", async () => {
  const { location, lines } = logged();
  for (const _ of [1, 2]) await location.find(() => Promise.reject(new Error("refused")));
  expect(location.found).toBe(undefined);
  expect(lines).toMatchObject([{ error: "refused" }]);
});

test("A storage that does not answer counts as one that was not asked.", async () => {
  const { location } = logged();
  const away = new Error("away");
  const finding = location.find(
    () => Promise.reject(new Error("no id")),
    () => Promise.reject(away),
  );
  await expect(finding).rejects.toBe(away);
  expect(() => location.found).toThrow(expect.objectContaining({ reason: "UNAVAILABLE" }));
});

test("A storage is looked at until it has said where it is, and after that when it does not say.", async () => {
  const { location } = logged();
  let checks = 0;
  const check = async () => {
    checks += 1;
  };
  const after: number[] = [];
  for (const says of [false, true, true, false, true]) {
    await location.find(async () => (says ? here : Promise.reject(new Error("refused"))), check);
    after.push(checks);
  }
  expect(after).toEqual([1, 2, 2, 3, 3]);
});

/** A location and what it logs. */
function logged() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createLog("block-service", readConfig("block-service", {}), { write });
  return { location: new BlockLocation(log), lines };
}
