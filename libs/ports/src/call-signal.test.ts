import { expect, test } from "@jest/globals";
import { callSignal } from "./call-signal.ts";

const hourMs = 3_600_000;

test("All who take part in one call have one signal", () => {
  const options = { signal: new AbortController().signal, deadline: Date.now() + hourMs };
  expect(callSignal(options)).toBe(callSignal(options));
  expect(callSignal({ ...options })).not.toBe(callSignal(options));
});

test("A signal is remembered with its caller and its deadline, not instead of them", async () => {
  const caller = new AbortController();
  const [early, late] = [10, hourMs].map((ms) => ({ signal: caller.signal, deadline: Date.now() + ms }));
  const signal = callSignal(early);
  if (signal?.aborted === false) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  expect(callSignal(early)?.reason).toMatchObject({ name: "TimeoutError" });
  expect(callSignal(late)?.aborted).toBe(false);
  caller.abort();
  expect(callSignal(late)?.aborted).toBe(true);
});

test("A deadline beyond the longest timer is as good as none", () => {
  const { signal } = new AbortController();
  expect(callSignal({ deadline: Number.MAX_SAFE_INTEGER })).toBeUndefined();
  expect(callSignal({ signal, deadline: Number.POSITIVE_INFINITY })).toBe(signal);
});
