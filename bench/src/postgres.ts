import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { digestBytes, type Key } from "@graviton/ports/key";
import { PostgresDatabase } from "@graviton/postgres/database";
import { PostgresManifestStore } from "@graviton/postgres/manifest-store";
import { type PostgresServer, postgresServer, whyUnavailable } from "@graviton/postgres/testing/postgres-server";
import { withClient } from "@graviton/postgres/testing/postgres-subject";
import { tuneGarbageCollection } from "@graviton/service/garbage-collection";
import { Child } from "./child.ts";
import { keyOfBlock } from "./numbered-blocks.ts";

const askedAtOnce = 14_000;
const runs = 45;

/** Not counted: a connection lives long, and pays once for each page of the index that it has not touched yet. */
const warmUpRuns = 15;

/** The index of 10^7 blocks fits the buffers, as an operator would have it, and commits are durable. */
const settings = ["shared_buffers=2GB", "max_wal_size=8GB", "fsync=on"];

/** Which of many keys are missing, among more and more known blocks; and manifests of more and more entries. */
export async function benchPostgres(): Promise<void> {
  tuneGarbageCollection();
  const reason = whyUnavailable();
  if (reason !== undefined) return console.log(`\nPostgres: left out, ${reason}`);
  await using server = await postgresServer(settings);
  await using database = await PostgresDatabase.open(server.config);
  await using store = new PostgresManifestStore(database);
  await benchFindMissing(server, store);
  await benchManifests(server);
}

async function benchFindMissing(server: PostgresServer, store: PostgresManifestStore): Promise<void> {
  console.log(
    `\nfindMissingBlocks of ${askedAtOnce.toLocaleString("en")} keys, half of them known: best, median and worst of ${runs},`,
  );
  console.log("and the median as a share of a bare SELECT that joins as many digests, as arrays, with the table");
  for (let from = 0, known = 1000; known <= 10_000_000; from = known, known *= 10) {
    await fill(server, from, known);
    const ours = await times(() => {
      const keys = someKeys(known);
      return () => store.findMissingBlocks(keys);
    });
    const bare = await withClient(server.config, (client) => {
      const select = `SELECT digest FROM blocks
        JOIN unnest($1::bigint[], $2::bytea[]) AS asked (digest_start, digest) USING (digest_start, digest)`;
      return times(() => {
        const digests = someKeys(known).map(({ digest }) => Buffer.from(digest, "hex"));
        const starts = digests.map((digest) => digest.readBigInt64BE());
        return () => client.query(select, [starts, digests]);
      });
    });
    const share = (median(ours) / median(bare)).toFixed(2);
    const figures = [Math.min(...ours), median(ours), Math.max(...ours)].map(time).join(" ");
    console.log(`  ${amount(known)} known  ${figures}  ${share.padStart(6)}`);
  }
}

/** Records blocks past the store. In order, which is many times faster when there are millions. */
async function fill(server: PostgresServer, from: number, to: number): Promise<void> {
  await withClient({ ...server.config, statementTimeoutMs: 0 }, async (client) => {
    await client.query("SET work_mem = '512MB'");
    await client.query(
      `INSERT INTO blocks SELECT sha256(int4send(number)), ${keyOfBlock(0).size}, 0
        FROM generate_series($1::integer, $2::integer - 1) AS number ORDER BY 1`,
      [from, to],
    );
    await client.query("VACUUM ANALYZE blocks");
    await client.query("CHECKPOINT");
  });
}

/** Made with little garbage, which is collected at the cost of what is measured next. */
function someKeys(known: number): Key[] {
  const unknown = randomBytes(askedAtOnce * digestBytes);
  return Array.from({ length: askedAtOnce }, (_, at) => {
    const key = keyOfBlock(Math.floor(Math.random() * known));
    const digest = at % 2 === 0 ? key.digest : unknown.toString("hex", at * digestBytes, (at + 1) * digestBytes);
    return { ...key, digest };
  });
}

/** Each size in a process of its own, whose memory nothing else has touched. */
async function benchManifests(server: PostgresServer): Promise<void> {
  console.log("\nPostgresManifestStore, a manifest: its commit, the first page of a range in its middle,");
  console.log("and what both add to the most memory that the process ever had resident");
  for (let entries = 1000; entries <= 1_000_000; entries *= 10) {
    const script = join(import.meta.dirname, "postgres-manifest.ts");
    const { child, match } = await Child.start(script, [JSON.stringify(server.config), String(entries)], /^(\{.*\})$/);
    await using _ = child;
    const { commitMs, firstPageMs, residentBytes } = JSON.parse(match[1] ?? "");
    const memory = `${Math.round(residentBytes / 1024 / 1024)} MiB`.padStart(8);
    console.log(`  ${amount(entries)} entries ${time(commitMs)} ${time(firstPageMs)} ${memory}`);
  }
}

/** How long each run takes after those that are not counted, in milliseconds; what it works on is made before. */
async function times(prepare: () => () => Promise<unknown>): Promise<number[]> {
  const all: number[] = [];
  for (let run = -warmUpRuns; run < runs; run += 1) all.push(await milliseconds(prepare()));
  return all.slice(warmUpRuns);
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function amount(count: number): string {
  return count.toLocaleString("en").padStart(10);
}

function time(ms: number): string {
  return `${ms.toFixed(1)} ms`.padStart(11);
}
