import { applicable, type Clause, type Contract, type Subject } from "./contract.ts";

/** How one clause went: kept, unless there is an error. */
export interface ClauseResult {
  readonly says: string;
  readonly error?: unknown;
}

/** After this long a clause counts as broken: it waits for something that never comes. The slowest takes seconds on an idle machine. */
export const clauseMsMax = 120_000;

/**
 * Checks the clauses that apply, one after the other, each on a harness of its own, and reports each as it ends.
 *
 * @param clauseMs how long one clause may take, in milliseconds
 */
export async function* checkContract<Port>(
  contract: Contract<Port>,
  subject: Subject<Port>,
  clauseMs = clauseMsMax,
): AsyncGenerator<ClauseResult, void, void> {
  for (const clause of applicable(contract, subject)) {
    try {
      await withinTime(clauseMs, checkClause(clause, subject));
      yield { says: clause.says };
    } catch (error) {
      yield { says: clause.says, error };
    }
  }
}

async function checkClause<Port>(clause: Clause<Port>, subject: Subject<Port>): Promise<void> {
  await using harness = await subject.start();
  await clause.check(harness);
}

async function withinTime(clauseMs: number, check: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not done after ${clauseMs} ms`)), clauseMs);
  try {
    await Promise.race([check, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
