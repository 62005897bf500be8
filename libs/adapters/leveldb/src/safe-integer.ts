/** Bytes that a whole number of 0 to 2^53 - 1 takes. Big-endian, so that byte order is the order of the numbers. */
export const safeIntegerBytes = 8;

export function writeSafeInteger(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  buffer.writeUInt32BE(value % 2 ** 32, at + 4);
}

export function readSafeInteger(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4);
}

/** The number alone. */
export function safeInteger(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(safeIntegerBytes);
  writeSafeInteger(buffer, value, 0);
  return buffer;
}
