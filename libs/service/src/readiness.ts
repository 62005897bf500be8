import { setTimeout } from "node:timers/promises";
import { StorageError } from "@graviton/ports/storage-error";
import type { Health } from "./health.ts";
import type { Log } from "./log.ts";

/** Something that a process needs in order to serve. */
export interface Dependency {
  /** `Postgres`, `block-service`. */
  readonly name: string;
  /** Rejects with the reason while the dependency does not answer. */
  check(signal: AbortSignal): Promise<void>;
  /** Full names of the services that need it; all of the process when absent. */
  readonly services?: readonly string[] | undefined;
  /** False for one whose absence leaves the process as a whole ready. */
  readonly essential?: boolean | undefined;
}

/** What is known of a dependency. */
export interface DependencyState {
  readonly name: string;
  readonly ready: boolean;
  /** What does not work, and what to do. */
  readonly why?: string;
}

/** How often dependencies that answer are asked, in milliseconds. */
const checkEveryMs = 2000;

/** How often while one of them does not. */
const checkAgainMs = 500;

/** How long one has to answer, in milliseconds. */
const checkMsMax = 3000;

/** Asks the dependencies of a process again and again, and tells its health service what works. */
export class Readiness implements AsyncDisposable {
  readonly #dependencies: readonly Dependency[];
  readonly #health: Health;
  readonly #log: Log;
  readonly #states = new Map<string, DependencyState>();
  readonly #stopped = new AbortController();
  readonly #watching: Promise<void>;
  readonly #first = Promise.withResolvers<void>();

  constructor(dependencies: readonly Dependency[], health: Health, log: Log) {
    this.#dependencies = dependencies;
    this.#health = health;
    this.#log = log;
    this.#watching = this.#watch();
  }

  /** Resolves once every dependency has been asked. */
  get asked(): Promise<void> {
    return this.#first.promise;
  }

  /** Whether every essential dependency answers, and nobody has asked the process to end. */
  get ready(): boolean {
    if (this.#stopped.signal.aborted) return false;
    return this.#dependencies.every(({ name, essential }) => essential === false || this.#states.get(name)?.ready);
  }

  states(): readonly DependencyState[] {
    return this.#dependencies.map(({ name }) => this.#states.get(name) ?? { name, ready: false, why: "not asked yet" });
  }

  /** Says that the process serves no more, and asks nobody any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#health.set(false);
    await this.#watching;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #watch(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await Promise.all(this.#dependencies.map((dependency) => this.#ask(dependency)));
      if (this.#stopped.signal.aborted) return;
      this.#tell();
      this.#first.resolve();
      const allAnswer = this.states().every(({ ready }) => ready);
      await pause(allAnswer ? checkEveryMs : checkAgainMs, this.#stopped.signal);
    }
  }

  async #ask({ name, check }: Dependency): Promise<void> {
    const late = new StorageError("DEADLINE_EXCEEDED", `${name} did not answer within ${checkMsMax} ms`);
    const patience = AbortSignal.any([AbortSignal.timeout(checkMsMax), this.#stopped.signal]);
    const given = new Promise<never>((_, reject) => {
      patience.addEventListener("abort", () => reject(late), { once: true });
    });
    given.catch(() => {});
    try {
      await Promise.race([check(patience), given]);
      this.#set({ name, ready: true });
    } catch (error) {
      this.#set({ name, ready: false, why: Error.isError(error) ? error.message : String(error) });
    }
  }

  #set(state: DependencyState): void {
    const before = this.#states.get(state.name);
    this.#states.set(state.name, state);
    if (this.#stopped.signal.aborted || (before?.ready === state.ready && before.why === state.why)) return;
    if (state.ready) this.#log.info({ dependency: state.name }, "answers");
    else this.#log.warn({ dependency: state.name, why: state.why }, "does not answer");
  }

  #tell(): void {
    this.#health.setEach((service) => {
      if (service === "") return this.ready;
      return this.#dependencies.every(({ name, services }) => {
        return (services !== undefined && !services.includes(service)) || this.#states.get(name)?.ready === true;
      });
    });
  }
}

/** Ends early, and without an error, once the signal aborts. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal }).catch(() => {});
}
