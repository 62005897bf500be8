import { Writable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import type { Outgoing } from "./codec.ts";
import { FrameMessage } from "./frame-message.ts";
import { Outbox, writeAheadBytes } from "./outbox.ts";

/** A call whose messages leave when the test says so. */
function call() {
  const waiting: { message: Outgoing; leave: () => void }[] = [];
  const writable = new Writable({
    objectMode: true,
    write: (message: Outgoing, _, leave) => void waiting.push({ message, leave }),
  });
  const leave = async () => {
    waiting.shift()?.leave();
    await settled();
  };
  return { writable, waiting, leave };
}

async function settled(): Promise<void> {
  await new Promise(setImmediate);
}

async function state(write: Promise<boolean>): Promise<boolean | "waits"> {
  await settled();
  return Promise.race([write, Promise.resolve("waits" as const)]);
}

describe("A writer", () => {
  test("goes on while there is room, and waits where there is none until there is", async () => {
    const { writable, leave } = call();
    const outbox = new Outbox(writable);
    expect(await state(outbox.write(Buffer.alloc(writeAheadBytes - 1)))).toBe(true);
    const second = outbox.write(Buffer.alloc(1));
    expect(await state(second)).toBe("waits");
    await leave();
    expect(await state(second)).toBe(true);
  });

  test("waits for a frame to be taken, so that its memory may be used again", async () => {
    const { writable, waiting, leave } = call();
    const outbox = new Outbox(writable);
    const frame = Uint8Array.of(7, 7);
    const write = outbox.write(new FrameMessage(0x0a, frame));
    expect(await state(write)).toBe("waits");
    const target = Buffer.alloc(9);
    waiting[0]?.message.copy(target, 5);
    expect(await state(write)).toBe(true);
    frame.fill(0);
    expect([...target.subarray(5)]).toEqual([0x0a, 2, 7, 7]);
    await leave();
  });

  test("is told that the call has ended, also while it waits", async () => {
    const { writable } = call();
    const outbox = new Outbox(writable);
    const waiting = outbox.write(new FrameMessage(0x0a, Uint8Array.of(1)));
    outbox.close();
    expect(await state(waiting)).toBe(false);
    expect(await outbox.write(Buffer.alloc(1))).toBe(false);
  });
});
