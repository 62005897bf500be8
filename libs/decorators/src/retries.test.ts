import type { CallOptions } from "@graviton/ports/call-options";
import { type Reason, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { Retries } from "./retries.ts";

describe("Retries", () => {
  test("try a call again that failed for a reason that passes", async () => {
    for (const error of [failure("UNAVAILABLE"), failure("EXHAUSTED", { retryAfterMs: 10 })]) {
      const { answer, calls } = await run(failingTimes(3, error));
      expect({ answer, calls }).toEqual({ answer: "answer", calls: 4 });
    }
  });

  test("do not try again what fails for any other reason", async () => {
    const reasons: Reason[] = ["NOT_FOUND", "CONFLICT", "CORRUPT", "CANCELLED", "DEADLINE_EXCEEDED", "EXHAUSTED"];
    for (const error of [...reasons.map((reason) => failure(reason)), new TypeError("a bug")]) {
      const { answer, calls } = await run(failingTimes(1, error));
      expect({ answer, calls }).toEqual({ answer: error, calls: 1 });
    }
  });

  test("give up with the last error when the tries are spent", async () => {
    const { answer, calls } = await run(failingTimes(99, failure("UNAVAILABLE")));
    expect(calls).toBe(4);
    expect(answer).toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("wait twice as long each time, between a half and the whole of it", async () => {
    const least = await run(failingTimes(3, failure("UNAVAILABLE")), { random: 0 });
    const most = await run(failingTimes(3, failure("UNAVAILABLE")), { random: 1 });
    expect(least.pauses).toEqual([25, 50, 100]);
    expect(most.pauses).toEqual([50, 100, 200]);
  });

  test("wait at least as long as the server asks for, within reason", async () => {
    const asked = await run(failingTimes(1, failure("EXHAUSTED", { retryAfterMs: 700 })));
    const askedMuch = await run(failingTimes(1, failure("UNAVAILABLE", { retryAfterMs: 3_600_000 })));
    expect(asked.pauses).toEqual([725]);
    expect(askedMuch.pauses).toEqual([5025]);
  });

  test("give up at once when the deadline leaves no time for another try", async () => {
    const error = failure("UNAVAILABLE", { retryAfterMs: 5000 });
    const { answer, pauses } = await run(failingTimes(1, error), { options: { deadline: Date.now() + 4000 } });
    expect({ answer, pauses }).toEqual({ answer: error, pauses: [] });
  });

  test("never try again for a caller who has gone, also while they wait", async () => {
    const caller = new AbortController();
    const call = failingTimes(99, failure("UNAVAILABLE"));
    const gone = await run(
      () => {
        caller.abort();
        return call();
      },
      { options: { signal: caller.signal } },
    );
    expect(gone).toMatchObject({ calls: 1, answer: { reason: "CANCELLED" } });

    const leaving = new AbortController();
    const waiting = new Retries({ random: () => 1 }).run({ signal: leaving.signal }, async () => {
      queueMicrotask(() => leaving.abort());
      throw failure("UNAVAILABLE", { retryAfterMs: 3_600_000 });
    });
    await expect(waiting).rejects.toMatchObject({ reason: "CANCELLED" });
  });

  test("open a stream again that gave nothing yet", async () => {
    let passes = 0;
    const stream = new Retries({ pause: async () => {} }).stream(undefined, {
      async *open() {
        passes += 1;
        if (passes < 4) throw failure("UNAVAILABLE");
        yield "item";
      },
    });
    expect(await Array.fromAsync(stream)).toEqual(["item"]);
  });

  test("count the tries of a stream anew whenever it gave something", async () => {
    let next = 0;
    let passes = 0;
    const stream = new Retries({ attemptsMax: 2, pause: async () => {} }).stream(undefined, {
      async *open() {
        passes += 1;
        if (next < 5) yield next;
        throw failure("UNAVAILABLE");
      },
      given: (item) => {
        next = item + 1;
      },
    });
    const given: number[] = [];
    const reading = async () => {
      for await (const item of stream) given.push(item);
    };
    await expect(reading()).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    expect(given).toEqual([0, 1, 2, 3, 4]);
    expect(passes).toBe(6);
  });
});

interface RunParts {
  readonly options?: CallOptions;
  readonly random?: number;
}

/** Runs a call, and tells its answer or error, how often it was made, and the pauses in between. */
async function run(call: () => Promise<string>, { options, random = 0 }: RunParts = {}) {
  const pauses: number[] = [];
  const pause = async (ms: number) => void pauses.push(ms);
  let calls = 0;
  const counted = () => {
    calls += 1;
    return call();
  };
  const retries = new Retries({ random: () => random, pause });
  const answer = await retries.run(options, counted).catch((error: unknown) => error);
  return { answer, calls, pauses };
}

function failingTimes(times: number, error: unknown): () => Promise<string> {
  let left = times;
  return async () => {
    left -= 1;
    if (left >= 0) throw error;
    return "answer";
  };
}

function failure(reason: Reason, detail: StorageErrorDetail = {}): StorageError {
  return new StorageError(reason, "it failed", detail);
}
