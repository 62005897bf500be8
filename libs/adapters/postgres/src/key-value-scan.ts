import type { KeyValuePair, KeyValueRange } from "@graviton/ports/key-value-store";
import type { PostgresDatabase, Snapshot } from "./database.ts";
import { checkedValue, type KeyValueRow } from "./key-value-row.ts";
import { rowsPerRead, scanBytesPerRead } from "./limits.ts";
import { afterPrefix } from "./sortable.ts";

// As many rows as there may be at once, but of their values no more than a megabyte beyond the first.
const page = `WITH candidates AS (
    SELECT key, value, checksum FROM key_values
    WHERE key >= $1 AND ($2::bytea IS NULL OR key > $2) AND ($3::bytea IS NULL OR key < $3)
    ORDER BY key LIMIT $4
  ), measured AS (
    SELECT *, count(*) OVER () AS candidates,
      coalesce(sum(octet_length(value)) OVER (ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM candidates
  )
  SELECT key, value, checksum, candidates FROM measured WHERE before < $5 ORDER BY key`;

interface PageRow extends KeyValueRow {
  readonly candidates: number;
}

/** Where a scan stands, in bytes. */
interface Bounds {
  readonly from: Buffer;
  readonly after: Buffer | null;
  readonly before: Buffer | null;
  readonly limit: number;
}

/**
 * The pairs within the range, as they all were when the first was read. What one page holds needs no snapshot beyond
 * its one statement; a longer scan holds one from its first page on.
 */
export async function* scan(
  database: PostgresDatabase,
  range: KeyValueRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<KeyValuePair, void, void> {
  const bounds = boundsOf(range);
  const whole = await readPage(database, bounds, signal);
  if (isLast(whole, bounds)) {
    yield* pairsOf(whole);
    return;
  }
  await using snapshot = await database.snapshot(signal);
  yield* longScan(snapshot, bounds);
}

async function* longScan(snapshot: Snapshot, bounds: Bounds): AsyncGenerator<KeyValuePair, void, void> {
  for (let rest = bounds; ; ) {
    const rows = await readPage(snapshot, rest);
    yield* pairsOf(rows);
    const last = rows.at(-1);
    if (last === undefined || isLast(rows, rest)) return;
    rest = { ...rest, after: last.key, limit: rest.limit - rows.length };
  }
}

async function readPage(
  reader: PostgresDatabase | Snapshot,
  { from, after, before, limit }: Bounds,
  signal?: AbortSignal,
): Promise<readonly PageRow[]> {
  const parameters = [from, after, before, Math.min(limit, rowsPerRead), scanBytesPerRead];
  return (await reader.query<PageRow>(page, parameters, signal)).rows;
}

/** True when nothing follows the page. */
function isLast(rows: readonly PageRow[], { limit }: Bounds): boolean {
  const candidates = rows[0]?.candidates ?? 0;
  return rows.length === candidates && (candidates < rowsPerRead || candidates === limit);
}

function* pairsOf(rows: readonly PageRow[]): Generator<KeyValuePair, void, void> {
  for (const row of rows) yield { key: row.key.toString(), value: checkedValue(row) };
}

function boundsOf({ prefix = "", after, from, before, limit = Number.POSITIVE_INFINITY }: KeyValueRange): Bounds {
  const start = Buffer.from(prefix);
  const ends = [bytesOf(afterPrefix(prefix)), bytesOf(before)];
  return {
    from: from === undefined ? start : later(start, Buffer.from(from)),
    after: bytesOf(after),
    before: ends.reduce((a, b) => (a === null ? b : b === null ? a : earlier(a, b))) ?? null,
    limit,
  };
}

function bytesOf(bound: string | null | undefined): Buffer | null {
  return bound === undefined || bound === null ? null : Buffer.from(bound);
}

function later(a: Buffer, b: Buffer): Buffer {
  return Buffer.compare(a, b) > 0 ? a : b;
}

function earlier(a: Buffer, b: Buffer): Buffer {
  return Buffer.compare(a, b) < 0 ? a : b;
}
