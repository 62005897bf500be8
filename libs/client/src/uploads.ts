import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { isUint8Array } from "node:util/types";
import type { ReplayableSource } from "@graviton/decorators/upload-source";
import { frameBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import { localFileError } from "./local-file-error.ts";

/**
 * What a put takes: all bytes at once, or a stream of them, such as a generator or a `Readable` of Node. A stream that can
 * be read again from its beginning says so by `replayable: true`.
 */
export type Content = Uint8Array | AsyncIterable<Uint8Array> | ReplayableSource<Uint8Array>;

/** One content on its way to the server. */
export interface Upload {
  /** Bytes in all; undefined when nobody knows before the end. */
  readonly totalBytes: number | undefined;
  /** Whether it can be opened again, and gives the same bytes then. */
  readonly repeatable: boolean;
  /** The bytes. What it holds is freed by their end, and by ending them early. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * The upload of what a caller has at hand. Bytes must stay as they are until they are stored.
 *
 * @throws StorageError INVALID_ARGUMENT for anything else
 */
export function uploadOf(content: Content): Upload {
  if (isUint8Array(content)) {
    return { totalBytes: content.length, repeatable: true, open: () => framesOf(content) };
  }
  if (typeof content?.[Symbol.asyncIterator] !== "function") {
    throw new StorageError(
      "INVALID_ARGUMENT",
      `cannot put a ${typeof content}: give bytes, a stream of them, or a file`,
    );
  }
  const repeatable = "replayable" in content && content.replayable === true;
  return { totalBytes: undefined, repeatable, open: () => checked(content) };
}

/**
 * The upload of a file. What is no regular file, such as a pipe, is a stream like others.
 *
 * @throws StorageError NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT for a folder
 */
export async function uploadOfFile(path: string): Promise<Upload> {
  const facts = await stat(path).catch((error: unknown) => {
    throw localFileError(error, "read", path);
  });
  const regular = facts.isFile();
  return { totalBytes: regular ? facts.size : undefined, repeatable: regular, open: () => readFrames(path) };
}

/** The upload as the input of a call: each iterator opens it, and where it is repeatable the call may be made again. */
export function sourceOf({ repeatable, open }: Pick<Upload, "repeatable" | "open">): UploadStream {
  return { replayable: repeatable, [Symbol.asyncIterator]: () => open()[Symbol.asyncIterator]() };
}

/** Bytes that say whether they can be read again from their beginning. */
export interface UploadStream extends AsyncIterable<Uint8Array> {
  readonly replayable: boolean;
}

/** The file's own name as a blob's attribute; undefined for a name that is not text, since attributes are. */
export function fileName(path: string): string | undefined {
  const name = basename(path);
  return name !== "" && name.isWellFormed() && !/\p{Cc}/u.test(name) ? name : undefined;
}

/** The bytes of a file, in pieces. It is closed by their end, and by ending them early. */
export async function* readFrames(path: string): AsyncGenerator<Uint8Array, void, void> {
  await using file = await open(path).catch((error: unknown) => {
    throw localFileError(error, "read", path);
  });
  for (;;) {
    const bytes = await nextFrame(file, path);
    if (bytes.length === 0) return;
    yield bytes;
  }
}

async function* framesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let from = 0; from < bytes.length; from += frameBytesMax) yield bytes.subarray(from, from + frameBytesMax);
}

async function* checked(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const bytes of source) {
    if (!isUint8Array(bytes)) {
      throw new StorageError("INVALID_ARGUMENT", `the stream gives a ${typeof bytes}: expected bytes, a Uint8Array`);
    }
    yield bytes;
  }
}

async function nextFrame(file: FileHandle, path: string): Promise<Uint8Array> {
  try {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(frameBytesMax));
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw localFileError(error, "read", path);
  }
}
