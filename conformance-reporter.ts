import type { TestOutcome } from "./conformance-table.ts";

/** What Jest gives a reporter; of all that, what is used here. */
interface Run {
  readonly testResults: readonly { readonly testResults: readonly TestOutcome[] }[];
}

interface Asked {
  readonly nonFlagArgs?: readonly string[];
  readonly testNamePattern?: string;
  readonly testPathPatterns?: { readonly patterns?: readonly string[] };
  readonly onlyChanged?: boolean;
  readonly onlyFailures?: boolean;
  readonly shard?: unknown;
}

/** Closes a run with the table of ports and adapters. */
export default class ConformanceReporter {
  readonly #partial: boolean;

  constructor(asked: Asked) {
    const { nonFlagArgs, testNamePattern, testPathPatterns, onlyChanged, onlyFailures, shard } = asked;
    const names = [...(nonFlagArgs ?? []), ...(testPathPatterns?.patterns ?? []), testNamePattern ?? ""].join("");
    this.#partial = names !== "" || onlyChanged === true || onlyFailures === true || shard !== undefined;
  }

  /** To stderr, as the summary before it. Whatever goes wrong here must not change how the run went. */
  async onRunComplete(_contexts: unknown, run: Run): Promise<void> {
    try {
      // Only now, so that not even a mistake in what it imports keeps the tests from running.
      const { conformanceTable } = await import("./conformance-table.ts");
      const table = conformanceTable(
        run.testResults.flatMap(({ testResults }) => testResults),
        this.#partial,
      );
      if (table !== undefined) process.stderr.write(`\n${table}\n`);
    } catch (error) {
      process.stderr.write(`\nno table of promises: ${error}\n`);
    }
  }
}
