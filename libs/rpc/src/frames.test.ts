import { frameBytesMax } from "@graviton/ports/limits";
import { describe, expect, test } from "@jest/globals";
import { framed, framesOf, openUpload, uploadedBytes } from "./frames.ts";

type Part =
  | { readonly case: "plan"; readonly value: string }
  | { readonly case: "frame"; readonly value: Uint8Array }
  | { readonly case: undefined };

async function* requestsOf(...parts: Part[]) {
  for (const part of parts) yield { part };
}

const plan: Part = { case: "plan", value: "the plan" };
const frame: Part = { case: "frame", value: Uint8Array.of(1, 2) };
const empty: Part = { case: undefined };

test("Bytes are cut into frames of the limit, as views", () => {
  const bytes = new Uint8Array(frameBytesMax * 2 + 3);
  const frames = [...framesOf(bytes)];
  expect(frames.map(({ length }) => length)).toEqual([frameBytesMax, frameBytesMax, 3]);
  expect(frames.every(({ buffer }) => buffer === bytes.buffer)).toBe(true);
  expect([...framesOf(new Uint8Array())]).toEqual([]);
});

test("A stream of bytes is cut into frames, and its empty pieces are left out", async () => {
  async function* source() {
    yield new Uint8Array(frameBytesMax + 1);
    yield new Uint8Array();
    yield new Uint8Array(2);
  }
  expect((await Array.fromAsync(framed(source()))).map(({ length }) => length)).toEqual([frameBytesMax, 1, 2]);
});

describe("An upload", () => {
  test("is its first message and the parts that follow", async () => {
    const { header, rest } = await openUpload(requestsOf(plan, frame, frame), "plan");
    expect(header).toBe("the plan");
    expect(await Array.fromAsync(rest)).toEqual([frame, frame]);
  });

  test.each([
    ["has no message at all", [], /the upload is empty: it begins with its plan/],
    ["begins with a frame", [frame], /begins with frame: it must begin with its plan/],
    ["begins with an empty message", [empty], /begins with an empty message/],
  ] as [string, Part[], RegExp][])("that %s is INVALID_ARGUMENT", async (_, parts, message) => {
    const opening = openUpload(requestsOf(...parts), "plan");
    await expect(opening).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ["a second plan", plan, /second plan/],
    ["an empty message", empty, /empty message/],
  ] as [string, Part, RegExp][])("with %s on the way is INVALID_ARGUMENT", async (_, part, message) => {
    const { rest } = await openUpload(requestsOf(plan, frame, part), "plan");
    await expect(Array.fromAsync(rest)).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
  });

  test("is closed when its first message is wrong", async () => {
    let closed = false;
    async function* requests() {
      try {
        yield { part: frame };
      } finally {
        closed = true;
      }
    }
    await expect(openUpload(requests(), "plan")).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
    expect(closed).toBe(true);
  });

  test("is closed when its reader stops early", async () => {
    let closed = false;
    async function* requests() {
      try {
        yield { part: plan };
        for (;;) yield { part: frame };
      } finally {
        closed = true;
      }
    }
    const { rest } = await openUpload(requests(), "plan");
    for await (const _ of rest) break;
    expect(closed).toBe(true);
  });
});

test("A frame over the limit is INVALID_ARGUMENT and names the limit", async () => {
  async function* parts() {
    yield { case: "frame" as const, value: new Uint8Array(frameBytesMax + 1) };
  }
  await expect(Array.fromAsync(uploadedBytes(parts()))).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
    message: expect.stringContaining("frameBytesMax, 1048576"),
  });
});

test("An upload that stops without its end, or goes on behind it, is INVALID_ARGUMENT", async () => {
  const frame = { case: "frame" as const, value: Uint8Array.of(1) };
  const end = { case: "end" as const, value: {} };
  async function* of(...parts: (typeof frame | typeof end)[]) {
    yield* parts;
  }
  await expect(Array.fromAsync(uploadedBytes(of(frame)))).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
  await expect(Array.fromAsync(uploadedBytes(of(frame, end, frame)))).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
  });
  expect(await Array.fromAsync(uploadedBytes(of(frame, end)))).toEqual([Uint8Array.of(1)]);
});
