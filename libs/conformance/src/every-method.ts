import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { CallOptions } from "@graviton/ports/call-options";
import type { Clause } from "./contract.ts";
import { expectReason } from "./expect-reason.ts";

/** Every method of a port by its name, with arguments that it accepts. */
export type Calls = Readonly<Record<string, (options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>>>;

/** What every method of every port promises. */
export function everyMethod<Port extends AsyncDisposable>(
  callsOf: (store: Port) => Calls | Promise<Calls>,
): readonly Clause<Port>[] {
  return [
    {
      says: "Every method refuses with UNAVAILABLE after dispose, which may be called twice.",
      async check(harness) {
        const store = await harness.open();
        const calls = await callsOf(store);
        await store[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
        for (const [name, call] of Object.entries(calls)) await expectReason("UNAVAILABLE", call(), name);
      },
    },
    {
      says: "Every method refuses a signal that is already aborted with CANCELLED.",
      async check(harness) {
        await using store = await harness.open();
        const signal = AbortSignal.abort();
        for (const [name, call] of Object.entries(await callsOf(store))) {
          await expectReason("CANCELLED", call({ signal }), name);
        }
      },
    },
    {
      says: "Every method refuses a deadline that has passed with DEADLINE_EXCEEDED.",
      async check(harness) {
        await using store = await harness.open();
        for (const [name, call] of Object.entries(await callsOf(store))) {
          await expectReason("DEADLINE_EXCEEDED", call({ deadline: Date.now() - 1 }), name);
        }
      },
    },
    {
      says: "A second opener of storage that only one may open is refused with UNAVAILABLE, and the first works on.",
      needs: "exclusive",
      async check(harness) {
        await using store = await harness.open();
        await expectReason("UNAVAILABLE", harness.open(), "the second opener");
        for (const call of Object.values(await callsOf(store))) await settle(call());
      },
    },
  ];
}

async function settle(call: Promise<unknown> | AsyncIterable<unknown>): Promise<void> {
  if (Symbol.asyncIterator in call) for await (const _ of call);
  else await call;
}

/**
 * Disposes the store and asserts that every call in flight has succeeded by then.
 *
 * @param release what the calls wait for, if they do: dispose must wait until then
 */
export async function expectDisposeWaits(
  store: AsyncDisposable,
  calls: readonly Promise<unknown>[],
  release?: () => void,
): Promise<void> {
  let settled = 0;
  const outcomes = Promise.allSettled(calls.map((call) => call.finally(() => ++settled)));
  let disposed = false;
  const disposing = store[Symbol.asyncDispose]().then(() => {
    disposed = true;
  });
  if (release !== undefined) {
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    const early = disposed;
    release();
    assert.ok(!early, "dispose should wait for the call in flight");
  }
  await disposing;
  await setImmediate();
  assert.equal(settled, calls.length, "calls that have ended when dispose has");
  for (const outcome of await outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
