import { callSignal } from "@graviton/ports/call-signal";
import { describe, expect, jest, test } from "@jest/globals";
import { Places } from "./places.ts";

describe("Places", () => {
  test("lets calls in up to the limit, and refuses the next with EXHAUSTED and when to try again", async () => {
    const places = new Places({ callsMax: 2, waitMs: 0 });
    const held = Promise.withResolvers<void>();
    const calls = [places.run(undefined, () => held.promise), places.run(undefined, () => held.promise)];
    await expect(places.run(undefined, async () => {})).rejects.toMatchObject({
      reason: "EXHAUSTED",
      retryAfterMs: 1000,
    });
    held.resolve();
    await Promise.all(calls);
    expect(await places.run(undefined, async () => "in")).toBe("in");
  });

  test("hands a place to those who wait, first come first served", async () => {
    const places = new Places({ callsMax: 1, waitMs: 60_000 });
    const held = Promise.withResolvers<void>();
    const order: string[] = [];
    const first = places.run(undefined, () => held.promise);
    const second = places.run(undefined, async () => void order.push("second"));
    const third = places.run(undefined, async () => void order.push("third"));
    held.resolve();
    await Promise.all([first, second, third]);
    expect(order).toEqual(["second", "third"]);
  });

  test("gives the place back when a call fails", async () => {
    const places = new Places({ callsMax: 1, waitMs: 0 });
    await expect(places.run(undefined, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(await places.run(undefined, async () => "in")).toBe("in");
  });

  test("keeps a stream's place until it ends, and gives it back when its reader stops early", async () => {
    const places = new Places({ callsMax: 1, waitMs: 0 });
    const stream = places.stream(undefined, async function* () {
      yield 1;
      yield 2;
    });
    await stream.next();
    await expect(places.run(undefined, async () => {})).rejects.toMatchObject({ reason: "EXHAUSTED" });
    await stream.return();
    expect(await places.run(undefined, async () => "in")).toBe("in");
  });

  test("stops waiting when the caller gives up, and leaves the place to the next", async () => {
    const places = new Places({ callsMax: 1, waitMs: 60_000 });
    const held = Promise.withResolvers<void>();
    const first = places.run(undefined, () => held.promise);
    const caller = new AbortController();
    const given = places.run({ signal: caller.signal }, async () => {});
    const next = places.run(undefined, async () => "in");
    caller.abort();
    await expect(given).rejects.toMatchObject({ reason: "CANCELLED" });
    held.resolve();
    await first;
    expect(await next).toBe("in");
  });

  test("stops waiting at the caller's deadline, which is not for want of places", async () => {
    const places = new Places({ callsMax: 1, waitMs: 60_000 });
    const held = Promise.withResolvers<void>();
    const first = places.run(undefined, () => held.promise);
    const given = places.run({ deadline: Date.now() + 50 }, async () => {});
    await expect(given).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    expect(places.waiting).toBe(0);
    held.resolve();
    await first;
  });

  test("waits for nobody whose deadline has passed by its timer and not yet by the clock", async () => {
    const places = new Places({ callsMax: 1, waitMs: 60_000 });
    const held = Promise.withResolvers<void>();
    const first = places.run(undefined, () => held.promise);
    const late = { deadline: Date.now() + 10 };
    const signal = callSignal(late);
    await new Promise((resolve) => signal?.addEventListener("abort", resolve));
    const clock = jest.spyOn(Date, "now").mockReturnValue(late.deadline - 1);
    const given = places.run(late, async () => {});
    clock.mockRestore();
    await expect(given).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    held.resolve();
    await first;
  });

  test("refuses at once where too many wait already", async () => {
    const places = new Places({ callsMax: 1, waitMs: 60_000, waitingMax: 1 });
    const held = Promise.withResolvers<void>();
    const calls = [places.run(undefined, () => held.promise), places.run(undefined, async () => {})];
    await expect(places.run(undefined, async () => {})).rejects.toMatchObject({ reason: "EXHAUSTED" });
    held.resolve();
    await Promise.all(calls);
  });

  test("keeps the place of a stream that has ended until its reader has released what it got", async () => {
    const places = new Places({ callsMax: 1, waitMs: 0 });
    const taken = Promise.withResolvers<void>();
    const stream = places.stream({ released: () => taken.promise }, async function* () {
      yield 1;
    });
    await stream.next();
    const ended = stream.next();
    await expect(places.run(undefined, async () => {})).rejects.toMatchObject({ reason: "EXHAUSTED" });
    taken.resolve();
    await ended;
    expect(await places.run(undefined, async () => "in")).toBe("in");
  });
});
