import type { ByteSpan } from "@graviton/ports/byte-range";

const spanBytes = 16;

/** Packs spans into 16 bytes each: start and end, big-endian. */
export function encodeSpans(spans: readonly ByteSpan[]): Buffer {
  const content = Buffer.allocUnsafe(spans.length * spanBytes);
  for (const [index, { start, end }] of spans.entries()) {
    content.writeBigUInt64BE(BigInt(start), index * spanBytes);
    content.writeBigUInt64BE(BigInt(end), index * spanBytes + 8);
  }
  return content;
}

/** The spans of {@link encodeSpans}. */
export function decodeSpans(content: Buffer): ByteSpan[] {
  return Array.from({ length: content.length / spanBytes }, (_, index) => ({
    start: Number(content.readBigUInt64BE(index * spanBytes)),
    end: Number(content.readBigUInt64BE(index * spanBytes + 8)),
  }));
}
