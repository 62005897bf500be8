import type { BlobInfo, BlobStore } from "@graviton/ports/blob-store";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { attributesToWire, confirmedToWire, keyFromWire, keyToWire, listFromWire, rangeFromWire } from "../convert.ts";
import { framed, openUpload, uploadedBytes } from "../frames.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";
import { planFromWire } from "./plan.ts";

/** BlobService over a BlobStore. */
export function blobRoutes(store: BlobStore, options?: RoutesOptions): Routes<typeof BlobService> {
  return defineRoutes(
    BlobService,
    {
      async putBlob(requests, context) {
        const { header, rest } = await openUpload(requests, "plan");
        const receipt = await store.put(planFromWire(header), uploadedBytes(rest), callOptions(context));
        return {
          ...infoToWire(receipt),
          created: receipt.created,
          freshBlocks: BigInt(receipt.freshBlocks),
          duplicateBlocks: BigInt(receipt.duplicateBlocks),
          freshBytes: BigInt(receipt.freshBytes),
        };
      },

      async *getBlob({ key, range }, context) {
        const bytes = store.get(keyFromWire(key), rangeFromWire(range), callOptions(context));
        for await (const frame of framed(bytes)) yield { frame };
      },

      async statBlob({ key }, context) {
        return infoToWire(await store.stat(keyFromWire(key), callOptions(context)));
      },

      async deleteBlob({ key }, context) {
        await store.delete(keyFromWire(key), callOptions(context));
        return {};
      },

      async *listBlobs(request, context) {
        for await (const info of store.list({ ...listFromWire(request), ...callOptions(context) })) {
          yield infoToWire(info);
        }
      },

      async findMissingBlobs({ keys }, context) {
        const missing = await store.findMissing(keys.map(keyFromWire), callOptions(context));
        return { missing: missing.map(keyToWire) };
      },
    },
    options,
  );
}

function infoToWire({ advertised, confirmed }: BlobInfo) {
  return { advertised: attributesToWire(advertised), confirmed: confirmedToWire(confirmed) };
}
