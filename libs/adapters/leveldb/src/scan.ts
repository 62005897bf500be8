import type { KeyValueRange } from "@graviton/ports/key-value-store";
import { safeInteger } from "./safe-integer.ts";
import { afterKey, afterPrefix, recordKey } from "./tables.ts";
import type { Entry } from "./view.ts";

const tableBytes = 1;

/** How an old value begins: there was none, or it follows. */
export const wasAbsent = Buffer.of(0);
export const wasPresent = Buffer.of(1);

/** One open scan: what it has still to deliver. */
export class Scan {
  readonly id: Buffer;
  /** Set when the first old value is about to be kept for it. */
  changed = false;
  #lower: Buffer;
  readonly #upper: Buffer | undefined;

  /** @param number told from those of all other scans that are open */
  constructor(number: number, { prefix = "", after, from = "", before }: KeyValueRange) {
    this.id = safeInteger(number);
    const begin = Buffer.from(prefix);
    const lowers = [begin, Buffer.from(from), after === undefined ? begin : afterKey(Buffer.from(after))];
    const uppers = [
      prefix === "" ? undefined : afterPrefix(begin),
      before === undefined ? undefined : Buffer.from(before),
    ];
    this.#lower = lowers.reduce((a, b) => (Buffer.compare(a, b) > 0 ? a : b));
    this.#upper = uppers.filter((upper) => upper !== undefined).sort(Buffer.compare)[0];
  }

  /** Whether it has still to deliver the pair, if there is one. */
  expects(pair: Buffer): boolean {
    const name = pair.subarray(tableBytes);
    return (
      Buffer.compare(this.#lower, name) <= 0 && (this.#upper === undefined || Buffer.compare(name, this.#upper) < 0)
    );
  }

  /** Where the pair's old value is kept for it. */
  undoKey(pair: Buffer): Buffer {
    return recordKey("undo", this.id, pair.subarray(tableBytes));
  }

  /** The records of what it has still to deliver. */
  rest(table: "pairs" | "undo"): { gte: Buffer; lt: Buffer } {
    const begin = table === "pairs" ? recordKey("pairs") : recordKey("undo", this.id);
    const lt = this.#upper === undefined ? afterPrefix(begin) : Buffer.concat([begin, this.#upper]);
    return { gte: Buffer.concat([begin, this.#lower]), lt };
  }

  deliveredUpTo(name: Buffer): void {
    this.#lower = afterKey(name);
  }
}

/** A pair's value as a scan sees it; undefined for a pair that was not there. */
export interface ScanEntry {
  readonly name: Buffer;
  readonly value: Buffer | undefined;
}

/** A record of the pairs, as it is now. */
export function entryNow({ key, content }: Entry): ScanEntry {
  return { name: key.subarray(tableBytes), value: content };
}

/** A record of the old values, as it was when the scan began. */
export function entryBefore({ key, content }: Entry): ScanEntry {
  const name = key.subarray(tableBytes + safeInteger(0).length);
  return { name, value: content[0] === wasAbsent[0] ? undefined : content.subarray(wasPresent.length) };
}

/** The name up to which both pages are complete; undefined when both are empty, and so at their end. */
export function commonEnd(now: readonly ScanEntry[], before: readonly ScanEntry[]): Buffer | undefined {
  return [now.at(-1), before.at(-1)]
    .flatMap((entry) => (entry === undefined ? [] : [entry.name]))
    .sort(Buffer.compare)[0];
}

/** Both in the order of their names, the old value where there are two. */
export function merged(now: readonly ScanEntry[], before: readonly ScanEntry[]): ScanEntry[] {
  if (before.length === 0) return [...now];
  const old = new Set(before.map(({ name }) => name.toString("latin1")));
  const unchanged = now.filter(({ name }) => !old.has(name.toString("latin1")));
  return [...unchanged, ...before].sort((a, b) => Buffer.compare(a.name, b.name));
}
