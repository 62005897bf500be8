import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import {
  BlobService,
  type PutBlobResponseSchema,
  type StatBlobResponseSchema,
} from "@graviton/proto/graviton/blob/v1/blob_pb";
import { defineRoutes, type Routes, type RoutesOptions } from "./routes.ts";

/** Routes of a BlobService whose handlers a test writes; those that it leaves out are UNSUPPORTED. */
export function blobRoutesInPart(methods: Partial<ServiceImpl<typeof BlobService>>, options?: RoutesOptions): Routes {
  const missing = () => {
    throw new StorageError("UNSUPPORTED", "the test has no handler for this method");
  };
  const rest = Object.fromEntries(BlobService.methods.map(({ localName }) => [localName, missing]));
  return defineRoutes(BlobService, { ...rest, ...methods } as ServiceImpl<typeof BlobService>, options);
}

/** One full frame of zeros. */
export const frame = new Uint8Array(1024 * 1024);

/** What a handler of PutBlob may answer. */
export const receipt: MessageInitShape<typeof PutBlobResponseSchema> = { created: true };

/** What a handler of StatBlob may answer. */
export const info: MessageInitShape<typeof StatBlobResponseSchema> = {};

/** An upload that never ends: a plan, then frames. */
export async function* endlessFrames(onFrame: () => void = () => {}) {
  yield { part: { case: "plan" as const, value: {} } };
  for (;;) {
    onFrame();
    yield { part: { case: "frame" as const, value: frame } };
  }
}
