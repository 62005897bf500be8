import { expect, test } from "@jest/globals";
import { Lifetime } from "./lifetime.ts";

test("A stream whose source says nothing ends at its deadline", async () => {
  await using lifetime = new Lifetime("SilentStore");
  async function* silent() {
    yield 1;
    await new Promise(() => {});
  }
  const stream = lifetime.stream({ deadline: Date.now() + 50 }, silent);
  await stream.next();
  await expect(stream.next()).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
});
