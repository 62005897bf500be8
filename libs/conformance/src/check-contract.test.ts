import { describe, expect, test } from "@jest/globals";
import { checkContract } from "./check-contract.ts";
import { type Clause, type Contract, clauseOf, type Subject } from "./contract.ts";
import { collect } from "./streams.ts";

/** A port with one promise: that `value` is 1. */
interface Port extends AsyncDisposable {
  readonly value: number;
}

describe("checkContract", () => {
  test("reports every clause in order, with the error of a broken one, and goes on after it", async () => {
    const error = new Error("broken");
    const clauses = [
      clauseOf<Port>("The first holds.", async (port) => expect(port.value).toBe(1)),
      clauseOf<Port>("The second does not.", () => Promise.reject(error)),
      clauseOf<Port>("The third holds.", async () => {}),
    ];
    expect(await collect(checkContract(contractOf(clauses), subjectOf()))).toEqual([
      { says: "The first holds." },
      { says: "The second does not.", error },
      { says: "The third holds." },
    ]);
  });

  test("leaves out the clauses that need what the subject does not offer", async () => {
    const clauses = (["durable", "exclusive", "damage", "isolation"] as const).map((needs) => {
      return clauseOf<Port>(`Needs ${needs}.`, async () => {}, needs);
    });
    const subject = { ...subjectOf(), capabilities: { durable: true, exclusive: false }, isolated: true };
    const results = await collect(checkContract(contractOf(clauses), subject));
    expect(results.map(({ says }) => says)).toEqual(["Needs durable.", "Needs isolation."]);
  });

  test("gives every clause a harness of its own, and disposes the handle before the harness", async () => {
    const log: string[] = [];
    const clauses = [clauseOf<Port>("One.", async () => {}), clauseOf<Port>("Two.", () => Promise.reject(new Error()))];
    await collect(checkContract(contractOf(clauses), subjectOf(log)));
    const once = ["start", "open", "dispose handle", "dispose harness"];
    expect(log).toEqual([...once, ...once]);
  });

  test("counts a clause that never ends as broken", async () => {
    const endless = clauseOf<Port>("It never ends.", () => new Promise(() => {}));
    const [result] = await collect(checkContract(contractOf([endless]), subjectOf(), 1));
    expect(result).toMatchObject({ says: "It never ends.", error: { message: "not done after 1 ms" } });
  });
});

function contractOf(clauses: readonly Clause<Port>[]): Contract<Port> {
  return { port: "Port", clauses };
}

function subjectOf(log: string[] = []): Subject<Port> {
  const noted = (what: string) => async () => void log.push(what);
  return {
    name: "One",
    capabilities: { durable: false, exclusive: false },
    isolated: false,
    damageable: false,
    async start() {
      log.push("start");
      return {
        async open() {
          log.push("open");
          return { value: 1, [Symbol.asyncDispose]: noted("dispose handle") };
        },
        damage: async () => {},
        [Symbol.asyncDispose]: noted("dispose harness"),
      };
    },
  };
}
