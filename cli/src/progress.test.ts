import { describe, expect, test } from "@jest/globals";
import { Progress } from "./progress.ts";

const mebibyte = 1024 * 1024;

/** A terminal that remembers what was written to it, and a clock that a test moves. */
function screen(isTTY = true, columns = 120) {
  const written: string[] = [];
  const clock = { ms: 0 };
  return { isTTY, columns, written, clock, now: () => clock.ms, write: (text: string) => written.push(text) };
}

describe("the progress line", () => {
  test("tells the bytes, the rate, the time left, and the share that was stored already", () => {
    const terminal = screen();
    using progress = new Progress(terminal, 10 * mebibyte, terminal.now);
    terminal.clock.ms = 2000;
    progress.finished(4 * mebibyte, mebibyte);
    progress.add(4 * mebibyte);
    expect(terminal.written).toEqual(["\r\u001b[K40%  4.0 MiB of 10.0 MiB  2.0 MiB/s  3 s left  75% stored already"]);
  });

  test("tells just the bytes and the rate when nobody knows how many will come", () => {
    const terminal = screen();
    using progress = new Progress(terminal, undefined, terminal.now);
    terminal.clock.ms = 1000;
    progress.add(mebibyte);
    expect(progress.line()).toBe("1.0 MiB  1.0 MiB/s");
  });

  test("is drawn ten times a second at most, and fits the terminal", () => {
    const terminal = screen(true, 10);
    using progress = new Progress(terminal, 1000 * mebibyte, terminal.now);
    for (terminal.clock.ms = 0; terminal.clock.ms < 1000; terminal.clock.ms += 10) progress.add(mebibyte);
    expect(terminal.written).toHaveLength(10);
    for (const line of terminal.written) expect(line.length).toBeLessThanOrEqual("\r\u001b[K".length + 9);
  });

  test("goes away in the end, and leaves a line alone that it did not write", () => {
    const terminal = screen();
    const progress = new Progress(terminal, 10, terminal.now);
    progress.clear();
    expect(terminal.written).toEqual([]);
    progress.add(5);
    progress[Symbol.dispose]();
    progress.clear();
    expect(terminal.written.slice(1)).toEqual(["\r\u001b[K"]);
  });

  test("is not drawn where there is no terminal", () => {
    const terminal = screen(false);
    using progress = new Progress(terminal, 10, terminal.now);
    progress.add(5);
    progress.clear();
    expect(terminal.written).toEqual([]);
  });
});
