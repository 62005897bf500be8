import { frameBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";

/** Cuts bytes into frames that the wire takes. They are views; empty bytes have none. */
export function* framesOf(bytes: Uint8Array): Generator<Uint8Array, void, void> {
  for (let from = 0; from < bytes.length; from += frameBytesMax) {
    yield bytes.subarray(from, Math.min(bytes.length, from + frameBytesMax));
  }
}

/** As {@link framesOf}, for a stream of bytes. */
export async function* framed(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const bytes of source) yield* framesOf(bytes);
}

/** @throws StorageError INVALID_ARGUMENT for a frame over `frameBytesMax` */
export function checkFrame(frame: Uint8Array): Uint8Array {
  if (frame.length > frameBytesMax) {
    throw new StorageError(
      "INVALID_ARGUMENT",
      `a frame of ${frame.length} bytes is over frameBytesMax, ${frameBytesMax}`,
    );
  }
  return frame;
}

/** The bytes of a download: what is in the answers of a server. */
export async function* downloadedBytes(
  answers: AsyncIterable<{ readonly frame: Uint8Array }>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const { frame } of answers) {
    if (frame.length > 0) yield frame;
  }
}

interface Part {
  readonly case: string | undefined;
  readonly value?: unknown;
}

type Defined<P extends Part> = Exclude<P, { readonly case: undefined }>;
type Case<P extends Part> = Defined<P>["case"];
type ValueOf<P extends Part, C extends Case<P>> = Extract<Defined<P>, { readonly case: C }>["value"];

/** An upload: what its first message says, and the parts that follow. */
export interface Upload<Header, Rest> {
  readonly header: Header;
  readonly rest: AsyncIterable<Rest>;
}

/**
 * Reads the first message of an upload. Close `rest`, or the requests, when it is not read to its end.
 *
 * @param opening the case of the first message's part, and of no other's
 * @throws StorageError INVALID_ARGUMENT when it is anything else; `rest` throws it when another one follows
 */
export async function openUpload<P extends Part, C extends Case<P>>(
  requests: AsyncIterable<{ readonly part: P }>,
  opening: C,
): Promise<Upload<ValueOf<P, C>, Exclude<Defined<P>, { readonly case: C }>>> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) throw new StorageError("INVALID_ARGUMENT", `the upload is empty: it begins with its ${opening}`);
  const { part } = first.value;
  if (part.case !== opening) {
    await iterator.return?.();
    throw new StorageError(
      "INVALID_ARGUMENT",
      `the upload begins with ${part.case ?? "an empty message"}: it must begin with its ${opening}`,
    );
  }
  const rest = { [Symbol.asyncIterator]: () => iterator };
  return { header: part.value as ValueOf<P, C>, rest: following<P, C>(rest, opening) };
}

async function* following<P extends Part, C extends Case<P>>(
  requests: AsyncIterable<{ readonly part: P }>,
  opening: C,
): AsyncGenerator<Exclude<Defined<P>, { readonly case: C }>, void, void> {
  for await (const { part } of requests) {
    if (part.case === undefined)
      throw new StorageError("INVALID_ARGUMENT", "the upload breaks off in an empty message");
    if (part.case === opening) throw new StorageError("INVALID_ARGUMENT", `the upload has a second ${opening}`);
    yield part as Exclude<Defined<P>, { readonly case: C }>;
  }
}

type BytesPart =
  | { readonly case: "frame"; readonly value: Uint8Array }
  | { readonly case: "end"; readonly value: unknown };

/**
 * The bytes of an upload that consists of frames and an end. Empty frames are left out.
 *
 * @throws StorageError INVALID_ARGUMENT for an upload that stops without its end, or goes on behind it
 */
export async function* uploadedBytes(parts: AsyncIterable<BytesPart>): AsyncGenerator<Uint8Array, void, void> {
  let ended = false;
  for await (const part of parts) {
    if (ended) throw new StorageError("INVALID_ARGUMENT", "the upload goes on behind its end");
    if (part.case === "end") ended = true;
    else if (checkFrame(part.value).length > 0) yield part.value;
  }
  if (!ended) throw new StorageError("INVALID_ARGUMENT", "the upload stops without its end: it counts as broken off");
}

/** The parts of an upload behind its first message, as {@link uploadedBytes} takes them. */
export async function* bytesParts(source: AsyncIterable<Uint8Array>) {
  for await (const frame of framed(source)) yield { part: { case: "frame" as const, value: frame } };
  yield { part: { case: "end" as const, value: {} } };
}
