import { expect, test } from "@jest/globals";
import { withMethods } from "./method-overrides.ts";

class Counter implements AsyncDisposable {
  #count = 0;
  disposed = false;

  add(): number {
    this.#count += 1;
    return this.#count;
  }

  twice(): number {
    return this.add() + this.add();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}

test("The methods given take the place of its own, and all others work on what is its own", () => {
  const counter = withMethods(new Counter(), { add: () => 100 });
  expect(counter.add()).toBe(100);
  expect(counter.twice()).toBe(3);
});

test("It can be disposed by await using", async () => {
  const counter = new Counter();
  {
    await using _ = withMethods(counter, {});
  }
  expect(counter.disposed).toBe(true);
});
