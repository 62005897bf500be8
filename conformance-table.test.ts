import { describe, expect, test } from "@jest/globals";
import ConformanceReporter from "./conformance-reporter.ts";
import { absentCells, conformanceTable, type TestOutcome } from "./conformance-table.ts";
import { immutableObjectStoreClauses } from "./libs/conformance/src/immutable-object-store.ts";

describe("the table of ports and adapters", () => {
  test("counts the promises kept, directly and over gRPC", () => {
    const outcomes = [
      ...outcomesOf("KeyValueStore: LevelKeyValueStore", 3),
      ...outcomesOf("KeyValueStore: LevelKeyValueStore over gRPC", 2),
    ];
    expect(rowOf("KeyValueStore", outcomes)).toEqual(["absent", "-", "3 + 2", "-", "absent"]);
  });

  test("says absent for an adapter that has to be there and did not run, or ran one way only", () => {
    const outcomes = [
      ...outcomesOf("BlockStore: InMemoryBlockStore", 3),
      ...outcomesOf("BlockStore: S3BlockStore", 3, "pending"),
    ];
    expect(rowOf("BlockStore", outcomes)).toEqual(["3 + absent", "absent", "-", "absent", "-"]);
  });

  test("says loudly how many failed", () => {
    const outcomes = [
      ...outcomesOf("ManifestStore: PostgresManifestStore", 5),
      ...outcomesOf("ManifestStore: PostgresManifestStore", 1, "failed"),
      ...outcomesOf("ManifestStore: PostgresManifestStore over gRPC", 6),
    ];
    expect(rowOf("ManifestStore", outcomes).at(-1)).toBe("5/6 FAILED + 6");
  });

  test("counts the promises of objects that cannot be replaced for both ports of objects", () => {
    const suite = "MutableObjectStore: FilesystemObjectStore";
    const outcomes = [
      ...immutableObjectStoreClauses.map(({ says }) => ({ ancestorTitles: [suite], title: says, status: "passed" })),
      ...outcomesOf(suite, 1),
    ];
    expect(rowOf("MutableObjectStore", outcomes)[1]).toBe(`${immutableObjectStoreClauses.length + 1} + absent`);
    expect(rowOf("ImmutableObjectStore", outcomes)[1]).toBe(`${immutableObjectStoreClauses.length} + absent`);
  });

  test("lists the compositions of a blob store, and sums up the decorators", () => {
    const outcomes = [
      ...outcomesOf("BlobStore: CasBlobStore over memory", 4),
      ...outcomesOf("BlobStore: CasBlobStore over memory over gRPC", 4),
      ...outcomesOf("BlockStore: LimitedBlockStore over memory", 2),
      ...outcomesOf("RangeTracker: retrying, over memory", 2),
    ];
    const table = conformanceTable(outcomes, false) ?? "";
    expect(table).toContain("BlobStore  CasBlobStore over memory  4 + 4");
    expect(table).toContain("Decorators on 2 contracts: 4");
    expect(rowOf("BlockStore", outcomes)[0]).toBe("absent");
  });

  test("is not there when no contract ran, and says when only a part of the tests did", () => {
    expect(conformanceTable(outcomesOf("Places", 3), false)).toBeUndefined();
    const outcomes = outcomesOf("ReplicaIndex: InMemoryReplicaIndex", 1);
    expect(conformanceTable(outcomes, true)).toContain("(partial run)");
    expect(conformanceTable(outcomes, false)).not.toContain("(partial run)");
  });

  test("fits a terminal of 120 columns", () => {
    const adapters = ["InMemory", "Filesystem", "Level", "S3", "Postgres"];
    const outcomes = adapters.flatMap((name) =>
      ["", " over gRPC"].flatMap((way) => outcomesOf(`BlockStore: ${name}BlockStore${way}`, 214)),
    );
    const widest = Math.max(...(conformanceTable(outcomes, true) ?? "").split("\n").map(({ length }) => length));
    expect(widest).toBeLessThanOrEqual(120);
  });
});

describe("the end of a run", () => {
  const everything = suites().flatMap((suite) => [
    ...outcomesOf(suite, 1),
    { ancestorTitles: [suite], title: immutableObjectStoreClauses[0]?.says ?? "", status: "passed" },
  ]);
  const without = (suite: string) => everything.filter(({ ancestorTitles }) => ancestorTitles.at(-1) !== suite);
  const grpcMissing = without("KeyValueStore: LevelKeyValueStore over gRPC");

  test("lacks nothing where each adapter ran both ways, whether it failed or not", () => {
    expect(absentCells(everything)).toEqual([]);
    expect(absentCells(everything.map((outcome) => ({ ...outcome, status: "failed" })))).toEqual([]);
  });

  test("lacks something without any one suite, also where that was skipped", () => {
    for (const suite of suites()) {
      const absent = absentCells(without(suite));
      expect({ suite, absent }).not.toEqual({ suite, absent: [] });
      expect(absentCells([...without(suite), ...outcomesOf(suite, 1, "pending")])).toEqual(absent);
    }
  });

  test("names what it lacks", () => {
    expect(absentCells(grpcMissing)).toEqual(["KeyValueStore on LevelDB over gRPC"]);
    const both = ["ImmutableObjectStore on S3", "MutableObjectStore on S3"];
    expect(absentCells(without("MutableObjectStore: S3ObjectStore"))).toEqual(both);
  });

  test("is an error on a CI that names what it lacks, after the table", async () => {
    const { error, said } = await closed(grpcMissing, { ci: true });
    expect(error?.message).toContain("KeyValueStore on LevelDB over gRPC");
    expect(said).toMatch(/^\nPromises kept(.|\n)*KeyValueStore on LevelDB over gRPC\n$/);
  });

  test("is an error on a CI when no contract ran at all", async () => {
    expect((await closed([], { ci: true })).error?.message).toContain("BlockStore on memory\n");
  });

  test("is no error when everything ran, away from a CI, or when only some tests were asked for", async () => {
    expect((await closed(everything, { ci: true })).error).toBeUndefined();
    expect((await closed(grpcMissing, { ci: false })).error).toBeUndefined();
    expect((await closed(grpcMissing, { ci: true }, { testNamePattern: "one" })).error).toBeUndefined();
  });
});

/** What a reporter makes of a run. */
async function closed(outcomes: readonly TestOutcome[], settings: { ci: boolean }, asked = {}) {
  let said = "";
  const print = (text: string) => {
    said += text;
  };
  const reporter = new ConformanceReporter(asked, { ...settings, print });
  await reporter.onRunComplete(undefined, { testResults: [{ testResults: outcomes }] });
  return { error: reporter.getLastError(), said };
}

/** Those of a whole run. */
function suites(): string[] {
  const onLevel = ["ManifestStore", "ReplicaIndex", "RangeTracker", "KeyValueStore"].flatMap((port) =>
    ["InMemory", "Level", "Postgres"].map((technology) => `${port}: ${technology}${port}`),
  );
  const ofBlocks = ["InMemory", "Filesystem", "S3"].map((technology) => `BlockStore: ${technology}BlockStore`);
  const ofObjects = ["InMemory", "Filesystem", "S3", "Postgres"].map(
    (technology) => `MutableObjectStore: ${technology}ObjectStore`,
  );
  return [...onLevel, ...ofBlocks, ...ofObjects].flatMap((suite) => [suite, `${suite} over gRPC`]);
}

function outcomesOf(suite: string, count: number, status = "passed"): TestOutcome[] {
  return Array.from({ length: count }, () => ({ ancestorTitles: ["a file", suite], title: "a promise", status }));
}

function rowOf(port: string, outcomes: readonly TestOutcome[]): string[] {
  const lines = (conformanceTable(outcomes, false) ?? "").split("\n");
  const row = lines.find((line) => line.trim().startsWith(`${port} `)) ?? "";
  return row.trim().split(/ {2,}/).slice(1);
}
