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

/** Of the environment, and where the table goes; Jest gives none of them. */
interface Settings {
  /** Whether everything has to be there. */
  readonly ci?: boolean;
  readonly print?: (text: string) => void;
}

/** Closes a run with the table of ports and adapters; on a CI a whole run fails where one is absent. */
export default class ConformanceReporter {
  readonly #partial: boolean;
  readonly #ci: boolean;
  readonly #print: (text: string) => void;
  #lastError: Error | undefined;

  constructor(asked: Asked, settings: Settings = {}) {
    this.#ci = settings.ci ?? Boolean(process.env.CI);
    // To stderr, as the summary before it.
    this.#print = settings.print ?? ((text) => void process.stderr.write(text));
    const { nonFlagArgs, testNamePattern, testPathPatterns, onlyChanged, onlyFailures, shard } = asked;
    const names = [...(nonFlagArgs ?? []), ...(testPathPatterns?.patterns ?? []), testNamePattern ?? ""].join("");
    this.#partial = names !== "" || onlyChanged === true || onlyFailures === true || shard !== undefined;
  }

  /** Whatever goes wrong here must not change how the run went, save on a CI, where it has shown nothing then. */
  async onRunComplete(_contexts: unknown, run: Run): Promise<void> {
    try {
      // Only now, so that not even a mistake in what it imports keeps the tests from running.
      const { absentCells, conformanceTable } = await import("./conformance-table.ts");
      const outcomes = run.testResults.flatMap(({ testResults }) => testResults);
      const table = conformanceTable(outcomes, this.#partial);
      if (table !== undefined) this.#print(`\n${table}\n`);
      const absent = absentCells(outcomes);
      if (absent.length > 0) this.#fail(`these did not run, and have to:\n  ${absent.join("\n  ")}`);
    } catch (error) {
      this.#print(`\nno table of promises: ${error}\n`);
      this.#fail("there is no table of promises");
    }
  }

  /** Jest asks for it after the run, and fails where there is one. */
  getLastError(): Error | undefined {
    return this.#lastError;
  }

  #fail(why: string): void {
    if (this.#partial || !this.#ci) return;
    // Jest itself does not say what the error is.
    this.#print(`\n${why}\n`);
    this.#lastError = new Error(why);
  }
}
