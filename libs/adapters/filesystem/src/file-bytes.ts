import type { FileHandle } from "node:fs/promises";

/** Writes all bytes at the end of what the handle has written so far. */
export async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}

/** Up to `length` bytes from `position` on, in memory of their own; fewer where the file ends before. */
export async function readFully(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** Closes the file after the work with it, whichever way that ends. */
export async function closing<T>(file: Pick<FileHandle, "close">, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
  // A failure to close after a success counts: some file systems report here what they could not write.
  await file.close();
  return result;
}
