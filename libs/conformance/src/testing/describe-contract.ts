import { describe, test } from "@jest/globals";
import { clauseMsMax } from "../check-contract.ts";
import { applicable, type Contract, type Subject } from "../contract.ts";

/** Runs a contract under Jest: one test a clause, each on a harness of its own. */
export function describeContract<Port>(contract: Contract<Port>, subject: Subject<Port>): void {
  describe(`${contract.port}: ${subject.name}`, () => {
    for (const clause of applicable(contract, subject)) {
      const check = async () => {
        await using harness = await subject.start();
        await clause.check(harness);
      };
      test(clause.says, check, clauseMsMax);
    }
  });
}
