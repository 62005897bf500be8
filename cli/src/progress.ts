import { formatSize } from "./sizes.ts";

/** What of standard error the progress line needs. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Milliseconds between two drawings of the line. */
const drawEveryMs = 100;

/** Before this much time the rate says nothing. */
const rateAfterMs = 500;

const eraseLine = "\r\x1b[K";

/**
 * One line that tells how far a transfer is: bytes, rate, time left, and the share that was stored already. Drawn on a
 * terminal only; anywhere else it does nothing.
 */
export class Progress implements Disposable {
  readonly #terminal: Terminal;
  readonly #totalBytes: number | undefined;
  readonly #now: () => number;
  readonly #startedAt: number;
  #bytes = 0;
  #finishedBytes = 0;
  #freshBytes = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  /** @param totalBytes what there is to transfer, where that is known */
  constructor(terminal: Terminal, totalBytes: number | undefined, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#totalBytes = totalBytes;
    this.#now = now;
    this.#startedAt = now();
  }

  /** More bytes are on their way. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#terminal.isTTY !== true || this.#now() - this.#drawnAt < drawEveryMs) return;
    this.#drawnAt = this.#now();
    // Some terminals say that they are 0 wide.
    this.#terminal.write(eraseLine + this.line().slice(0, (this.#terminal.columns || 80) - 1));
    this.#shown = true;
  }

  /** A part of the transfer is stored; `freshBytes` of it were not stored before. */
  finished(bytes: number, freshBytes: number): void {
    this.#finishedBytes += bytes;
    this.#freshBytes += freshBytes;
  }

  /** Hands the bytes on and counts them. */
  async *counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const bytes of source) {
      this.add(bytes.length);
      yield bytes;
    }
  }

  /** The line as it would be drawn now. */
  line(): string {
    const elapsedMs = this.#now() - this.#startedAt;
    const rate = elapsedMs < rateAfterMs ? undefined : this.#bytes / (elapsedMs / 1000);
    return [this.#amount(), rate === undefined ? [] : `${formatSize(rate)}/s`, this.#left(rate), this.#shared()]
      .flat()
      .join("  ");
  }

  /** Takes the line away, so that something else can be written; the next bytes bring it back. */
  clear(): void {
    if (this.#shown) this.#terminal.write(eraseLine);
    this.#shown = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  #amount(): string {
    const total = this.#totalBytes;
    if (total === undefined || total === 0) return formatSize(this.#bytes);
    const percent = Math.min(100, Math.floor((100 * this.#bytes) / total));
    return `${percent}%  ${formatSize(this.#bytes)} of ${formatSize(total)}`;
  }

  #left(rate: number | undefined): string[] {
    if (this.#totalBytes === undefined || rate === undefined || rate === 0) return [];
    const seconds = Math.ceil(Math.max(0, this.#totalBytes - this.#bytes) / rate);
    const minutes = Math.floor(seconds / 60);
    return [minutes === 0 ? `${seconds} s left` : `${minutes} min ${seconds % 60} s left`];
  }

  #shared(): string[] {
    if (this.#finishedBytes === 0) return [];
    const share = 1 - this.#freshBytes / this.#finishedBytes;
    return [`${Math.max(0, Math.floor(100 * share))}% stored already`];
  }
}
