import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { Inbox, readAheadBytes } from "./inbox.ts";

/** A call that gives a message of this size whenever it is asked for one, up to a number of them. */
function call(size: number, count: number) {
  let asked = 0;
  const readable = new Readable({
    objectMode: true,
    read() {
      asked += 1;
      if (asked <= count) setImmediate(() => readable.push(Buffer.alloc(size, asked)));
    },
  });
  return { readable, asked: () => asked };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
}

test("An inbox asks for no more than it has room for, and for more once a message is taken", async () => {
  const size = readAheadBytes / 2;
  const { readable, asked } = call(size, 100);
  const inbox = new Inbox(readable);
  await settled();
  expect(asked()).toBe(2);
  expect((await inbox.next()).value?.[0]).toBe(1);
  await settled();
  expect(asked()).toBe(3);
});

test("Of messages without bytes it holds no more than a few dozen", async () => {
  const { readable, asked } = call(0, 1000);
  new Inbox(readable);
  await settled();
  expect(asked()).toBe(64);
});

test("It gives out what came before it was closed, then ends or throws what it was closed with", async () => {
  for (const failure of [undefined, { error: new Error("no") }]) {
    const { readable } = call(1, 2);
    const inbox = new Inbox(readable);
    await settled();
    inbox.close(failure);
    inbox.close({ error: new Error("too late") });
    const received: number[] = [];
    const read = async () => {
      for await (const message of inbox) received.push(message[0] as number);
    };
    await (failure === undefined
      ? expect(read()).resolves.toBeUndefined()
      : expect(read()).rejects.toBe(failure.error));
    expect(received).toEqual([1, 2]);
  }
});

test("Discarded, it throws at once", async () => {
  const { readable } = call(1, 2);
  const inbox = new Inbox(readable);
  await settled();
  const error = new Error("cancelled");
  inbox.discard({ error });
  await expect(inbox.next()).rejects.toBe(error);
});

test("A reader that waits is woken by a message, and by the end", async () => {
  const readable = new Readable({ objectMode: true, read() {} });
  const inbox = new Inbox(readable);
  const first = inbox.next();
  readable.push(Buffer.of(1));
  expect((await first).value?.[0]).toBe(1);
  const second = inbox.next();
  inbox.close();
  expect(await second).toEqual({ done: true, value: undefined });
});
