import { immutableObjectStoreClauses } from "./libs/conformance/src/immutable-object-store.ts";

/** How one test went, as Jest tells it. */
export interface TestOutcome {
  /** The titles of the blocks around it, the outermost first. */
  readonly ancestorTitles: readonly string[];
  readonly title: string;
  /** `passed`, `failed`, or something that says it did not run. */
  readonly status: string;
}

const technologies = ["memory", "filesystem", "LevelDB", "S3", "Postgres"] as const;

type Technology = (typeof technologies)[number];

/** What there has to be: each of these on the port's contract, directly and over gRPC. */
const demanded: Record<string, readonly Technology[]> = {
  BlockStore: ["memory", "filesystem", "S3"],
  ManifestStore: ["memory", "LevelDB", "Postgres"],
  ImmutableObjectStore: ["memory", "filesystem", "S3", "Postgres"],
  MutableObjectStore: ["memory", "filesystem", "S3", "Postgres"],
  ReplicaIndex: ["memory", "LevelDB", "Postgres"],
  RangeTracker: ["memory", "LevelDB", "Postgres"],
  KeyValueStore: ["memory", "LevelDB", "Postgres"],
};

const technologyOfPrefix: Record<string, Technology> = {
  InMemory: "memory",
  Filesystem: "filesystem",
  Level: "LevelDB",
  S3: "S3",
  Postgres: "Postgres",
};

/** The promises of one port as one subject kept them. */
interface Verdict {
  readonly port: string;
  /** The subject's name, without how it was reached. */
  readonly subject: string;
  readonly overGrpc: boolean;
  passed: number;
  failed: number;
}

/**
 * Which adapter keeps how many of its port's promises, directly and over gRPC; undefined when no contract ran.
 *
 * @param partial true when only some of the tests were asked for
 */
export function conformanceTable(outcomes: readonly TestOutcome[], partial: boolean): string | undefined {
  const verdicts = verdictsOf(outcomes);
  if (verdicts.length === 0) return undefined;
  const rows = Object.entries(demanded).map(([port, wanted]) => [
    port,
    ...technologies.map((technology) => cell(verdicts, port, technology, wanted.includes(technology))),
  ]);
  const title = `Promises kept, directly + over gRPC${partial ? " (partial run)" : ""}`;
  return [title, ...aligned([["", ...technologies], ...rows]), ...blobLines(verdicts), ...otherLines(verdicts)].join(
    "\n",
  );
}

/** What has to be there and is not: `KeyValueStore on memory over gRPC`. Whether it passed is its own tests' to say. */
export function absentCells(outcomes: readonly TestOutcome[]): string[] {
  const verdicts = verdictsOf(outcomes);
  const ran = (port: string, technology: Technology, overGrpc: boolean) =>
    verdicts.some((one) => one.port === port && technologyOf(one) === technology && one.overGrpc === overGrpc);
  return Object.entries(demanded).flatMap(([port, wanted]) =>
    wanted.flatMap((technology) =>
      [false, true]
        .filter((overGrpc) => !ran(port, technology, overGrpc))
        .map((overGrpc) => `${port} on ${technology}${overGrpc ? " over gRPC" : ""}`),
    ),
  );
}

function verdictsOf(outcomes: readonly TestOutcome[]): Verdict[] {
  const verdicts = new Map<string, Verdict>();
  for (const { ancestorTitles, title, status } of outcomes) {
    const [, tested = "", name = "", grpc] = /^(\w+): (.+?)( over gRPC)?$/.exec(ancestorTitles.at(-1) ?? "") ?? [];
    if (tested !== "BlobStore" && !Object.hasOwn(demanded, tested)) continue;
    if (status !== "passed" && status !== "failed") continue;
    for (const port of portsOf(tested, title)) {
      const key = JSON.stringify([port, name, grpc]);
      const verdict = verdicts.get(key) ?? { port, subject: name, overGrpc: grpc !== undefined, passed: 0, failed: 0 };
      verdict[status] += 1;
      verdicts.set(key, verdict);
    }
  }
  return [...verdicts.values()];
}

const immutable = new Set(immutableObjectStoreClauses.map(({ says }) => says));

/** The contract of objects that can be replaced includes that of objects that cannot. */
function portsOf(port: string, clause: string): string[] {
  return port === "MutableObjectStore" && immutable.has(clause) ? ["ImmutableObjectStore", port] : [port];
}

/** Undefined for what is no adapter: a decorator, a composition, a whole cluster. */
function technologyOf({ subject }: Verdict): Technology | undefined {
  const prefix = Object.keys(technologyOfPrefix).find((name) => new RegExp(`^${name}[A-Z]\\w*$`).test(subject));
  return prefix === undefined ? undefined : technologyOfPrefix[prefix];
}

function cell(verdicts: readonly Verdict[], port: string, technology: Technology, wanted: boolean): string {
  const here = verdicts.filter((verdict) => verdict.port === port && technologyOf(verdict) === technology);
  const missing = wanted ? "absent" : "-";
  return here.length === 0 ? missing : bothWays(here, missing);
}

function bothWays(verdicts: readonly Verdict[], missing: string): string {
  const [direct, overGrpc] = [false, true].map((way) => verdicts.filter((verdict) => verdict.overGrpc === way));
  return `${score(direct ?? [], missing)} + ${score(overGrpc ?? [], missing)}`;
}

function score(verdicts: readonly Verdict[], missing: string): string {
  if (verdicts.length === 0) return missing;
  const passed = verdicts.reduce((total, verdict) => total + verdict.passed, 0);
  const failed = verdicts.reduce((total, verdict) => total + verdict.failed, 0);
  return failed === 0 ? String(passed) : `${passed}/${passed + failed} FAILED`;
}

/** A blob store is a composition, on any of the adapters, so each that ran has a line of its own. */
function blobLines(verdicts: readonly Verdict[]): string[] {
  const ofBlobs = Map.groupBy(
    verdicts.filter(({ port }) => port === "BlobStore"),
    ({ subject }) => subject,
  );
  if (ofBlobs.size === 0) return aligned([["BlobStore", "absent"]]);
  return aligned([...ofBlobs].map(([subject, theirs]) => ["BlobStore", subject, bothWays(theirs, "-")]));
}

function otherLines(verdicts: readonly Verdict[]): string[] {
  const others = verdicts.filter((verdict) => verdict.port !== "BlobStore" && technologyOf(verdict) === undefined);
  if (others.length === 0) return [];
  const contracts = others.filter(({ port }) => port !== "ImmutableObjectStore");
  return [`  Decorators on ${contracts.length} contracts: ${score(contracts, "-")}`];
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}
