import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FrameMessage } from "./frame-message.ts";

/** Bytes of one message on their way out. */
export type Outgoing = Buffer | FrameMessage;

/** How messages of one type become bytes and back. */
export interface Codec<Desc extends DescMessage = DescMessage> {
  /** The message's bytes: a buffer of their own, or those of its frame, which must stay as they are until taken. */
  encode(message: MessageInitShape<Desc>): Outgoing;
  /** The message. Its `bytes` fields are views of `bytes`. Throws for bytes that are not a message. */
  decode(bytes: Buffer): MessageShape<Desc>;
}

/** The longest message that is copied rather than waited for. */
const copiedBytesMax = 16 * 1024;

const codecs = new WeakMap<DescMessage, Codec>();

/** The codec of a message type: by hand for a bare frame of bulk bytes, by protobuf-es for everything else. */
export function codecOf<Desc extends DescMessage>(desc: Desc): Codec<Desc> {
  let codec = codecs.get(desc);
  if (codec === undefined) {
    codec = codecFor(desc);
    codecs.set(desc, codec);
  }
  return codec as Codec<Desc>;
}

function codecFor(desc: DescMessage): Codec {
  const frame = desc.fields.find(isFrame);
  return frame === undefined ? new PlainCodec(desc) : new FrameCodec(desc, frame);
}

function isFrame(field: DescField): boolean {
  return field.name === "frame" && field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
}

type Fields = Record<string, unknown>;

class PlainCodec implements Codec {
  readonly #desc: DescMessage;

  constructor(desc: DescMessage) {
    this.#desc = desc;
  }

  encode(message: Fields): Outgoing {
    const bytes = toBinary(this.#desc, create(this.#desc, message));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  decode(bytes: Buffer): Message {
    return fromBinary(this.#desc, plain(bytes));
  }
}

/**
 * A message that is nothing but its frame goes over the wire as tag, length and bytes. toBinary grows its buffer by
 * doubling and copies a frame several times; this does not copy it, neither out nor in.
 */
class FrameCodec implements Codec {
  readonly #desc: DescMessage;
  readonly #others: Codec;
  /** Field number and wire type: one byte for field numbers under 16. */
  readonly #tag: number;
  /** The oneof that the frame is a case of, if it is. */
  readonly #oneof: string | undefined;

  constructor(desc: DescMessage, frame: DescField) {
    this.#desc = desc;
    this.#others = new PlainCodec(desc);
    this.#tag = (frame.number << 3) | 2;
    this.#oneof = frame.oneof?.localName;
  }

  encode(message: Fields): Outgoing {
    const frame = this.#frameOf(message);
    return frame === undefined ? this.#others.encode(message) : smallCopied(new FrameMessage(this.#tag, frame));
  }

  decode(bytes: Buffer): Message {
    const start = bytes[0] === this.#tag ? frameStart(bytes) : 0;
    if (start === 0) return this.#others.decode(bytes);
    const frame = plain(bytes).subarray(start);
    return create(
      this.#desc,
      this.#oneof === undefined ? { frame } : { [this.#oneof]: { case: "frame", value: frame } },
    );
  }

  /** The frame of a message that has nothing else, and that the wire shows. */
  #frameOf(message: Fields): Uint8Array | undefined {
    if (message.$unknown !== undefined) return undefined;
    if (this.#oneof === undefined) {
      const frame = message.frame as Uint8Array | undefined;
      return frame?.length === 0 ? undefined : frame;
    }
    const part = message[this.#oneof] as { case?: string; value?: Uint8Array } | undefined;
    return part?.case === "frame" ? part.value : undefined;
  }
}

/** A small message is copied: that costs less than to wait until it is taken. */
function smallCopied(message: FrameMessage): Outgoing {
  if (message.length > copiedBytesMax) return message;
  const copy = Buffer.allocUnsafe(message.length);
  message.copy(copy, 0);
  return copy;
}

/** Where the frame begins when it is all that follows, otherwise 0. */
function frameStart(bytes: Buffer): number {
  let length = 0;
  for (let at = 1; at < 5; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return 0;
    length += (byte & 127) << (7 * (at - 1));
    if (byte < 128) return at + 1 + length === bytes.length ? at + 1 : 0;
  }
  return 0;
}

/** A plain Uint8Array over the same memory: a Buffer's `slice` shares memory where a Uint8Array's copies. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
