/**
 * A message that is nothing but one `bytes` field, on its way out. grpc-js copies every message behind a header of its
 * own, so a frame that was encoded to a buffer first would be copied twice; this encodes it into that copy. Of a Buffer
 * it has what grpc-js asks of a message: its length, and to be copied.
 */
export class FrameMessage {
  readonly length: number;
  /** Called once the bytes are copied, and their memory is the owner's again. */
  onTaken: (() => void) | undefined;
  #taken = false;
  readonly #header: readonly number[];
  readonly #frame: Uint8Array;

  /** @param tag number and wire type of the field, in one byte */
  constructor(tag: number, frame: Uint8Array) {
    const header = [tag];
    let rest = frame.length;
    for (; rest > 127; rest >>>= 7) header.push((rest & 127) | 128);
    header.push(rest);
    this.#header = header;
    this.#frame = frame;
    this.length = header.length + frame.length;
  }

  get byteLength(): number {
    return this.length;
  }

  /** True once the bytes are copied. */
  get taken(): boolean {
    return this.#taken;
  }

  /** Writes the message into the target from `at` on. */
  copy(target: Buffer, at: number): void {
    target.set(this.#header, at);
    target.set(this.#frame, at + this.#header.length);
    this.#taken = true;
    this.onTaken?.();
  }
}
