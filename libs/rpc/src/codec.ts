import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";

/** How messages of one type become bytes and back. */
export interface Codec<Desc extends DescMessage = DescMessage> {
  /** One contiguous buffer, which shares no memory with the message. */
  encode(message: MessageInitShape<Desc>): Buffer;
  /** The message. Its `bytes` fields are views of `bytes`. Throws for bytes that are not a message. */
  decode(bytes: Buffer): MessageShape<Desc>;
}

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
  const plain: Codec = {
    encode: (message) => asBuffer(toBinary(desc, create(desc, message))),
    decode: (bytes) => fromBinary(desc, asBytes(bytes)),
  };
  const frame = desc.fields.find(isFrame);
  return frame === undefined ? plain : frameCodec(desc, frame, plain);
}

function isFrame(field: DescField): boolean {
  return field.name === "frame" && field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
}

/**
 * A message that is nothing but its frame goes over the wire as tag, length and bytes. toBinary grows its buffer by
 * doubling and copies a frame several times; this copies it once, and reads it without a copy.
 */
function frameCodec(desc: DescMessage, field: DescField, plain: Codec): Codec {
  // Field numbers under 16 with wire type 2 take one byte.
  const tag = (field.number << 3) | 2;
  const oneof = field.oneof?.localName;
  const frameOf = (message: Record<string, unknown>): unknown => {
    if (oneof === undefined) return message.frame;
    const part = message[oneof] as { case?: string; value?: unknown } | undefined;
    return part?.case === "frame" ? part.value : undefined;
  };
  const present = (length: number) => length > 0 || oneof !== undefined;
  const wrap = (frame: Uint8Array) => (oneof === undefined ? { frame } : { [oneof]: { case: "frame", value: frame } });
  const bare = (message: Record<string, unknown>) => message.$unknown === undefined;
  return {
    encode(message) {
      const frame = frameOf(message as Record<string, unknown>);
      const simple = ArrayBuffer.isView(frame) && bare(message as Record<string, unknown>);
      return simple && present(frame.byteLength) ? encodeFrame(tag, frame as Uint8Array) : plain.encode(message);
    },
    decode(bytes) {
      const start = bytes[0] === tag ? frameStart(bytes) : 0;
      if (start === 0) return plain.decode(bytes);
      return create(desc, wrap(asBytes(bytes).subarray(start)) as MessageInitShape<DescMessage>);
    },
  };
}

function encodeFrame(tag: number, frame: Uint8Array): Buffer {
  let lengthBytes = 1;
  for (let rest = frame.length; rest > 127; rest >>>= 7) lengthBytes += 1;
  const encoded = Buffer.allocUnsafe(1 + lengthBytes + frame.length);
  let at = 0;
  encoded[at++] = tag;
  let rest = frame.length;
  for (; rest > 127; rest >>>= 7) encoded[at++] = (rest & 127) | 128;
  encoded[at++] = rest;
  encoded.set(frame, at);
  return encoded;
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

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A plain Uint8Array over the same memory: a Buffer's `slice` shares memory where a Uint8Array's copies. */
function asBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
