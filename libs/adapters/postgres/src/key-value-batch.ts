import type { KeyValueOperation } from "@graviton/ports/key-value-store";
import { checksumOf } from "./checksum.ts";
import type { PostgresDatabase } from "./database.ts";

type Change = readonly [key: Buffer, value: Uint8Array | undefined];

/** Applies all operations or none. */
export async function applyBatch(
  database: PostgresDatabase,
  operations: readonly KeyValueOperation[],
  signal?: AbortSignal,
): Promise<void> {
  const changes = changesOf(operations);
  if (changes.length === 0) return;
  const deleted = changes.filter(([, value]) => value === undefined).map(([key]) => key);
  await database.transaction(signal, async (query) => {
    // What is to go is stored first too: one statement then locks all keys in their order, those that are not there
    // yet included, so that no two batches wait for each other. Nobody sees it before it is gone.
    await query(storing(changes.length), changes.flatMap(parametersOf));
    if (deleted.length > 0) await query(`DELETE FROM key_values WHERE key IN (${list(deleted.length)})`, deleted);
  });
}

/** What the batch comes to: the last operation on each key, in the order of the keys. */
function changesOf(operations: readonly KeyValueOperation[]): Change[] {
  const last = new Map(operations.map((operation) => [operation.key, operation]));
  const changes = [...last.values()].map((operation): Change => {
    return [Buffer.from(operation.key), operation.kind === "put" ? operation.value : undefined];
  });
  return changes.sort(([a], [b]) => Buffer.compare(a, b));
}

function storing(count: number): string {
  const rows = Array.from(
    { length: count },
    (_, row) => `($${row * 3 + 1}, $${row * 3 + 2}, $${row * 3 + 3}::integer)`,
  );
  return `INSERT INTO key_values (key, value, checksum) VALUES ${rows.join(", ")}
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum`;
}

function parametersOf([key, value = new Uint8Array()]: Change): unknown[] {
  return [key, value, checksumOf(key, value)];
}

function list(count: number): string {
  return Array.from({ length: count }, (_, index) => `$${index + 1}`).join(", ");
}
