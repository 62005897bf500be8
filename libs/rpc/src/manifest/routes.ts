import type { ManifestInfo, ManifestPage } from "@graviton/ports/manifest";
import type { ManifestStore } from "@graviton/ports/manifest-store";
import type { ManifestPage as WirePage } from "@graviton/proto/graviton/core/v1/core_pb";
import { ManifestService } from "@graviton/proto/graviton/manifest/v1/manifest_pb";
import {
  attributesFromWire,
  attributesToWire,
  confirmedToWire,
  keyFromWire,
  keyToWire,
  listFromWire,
  rangeFromWire,
} from "../convert.ts";
import { openUpload } from "../frames.ts";
import { pageFromWire, pageToWire } from "../manifest-page.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";

/** ManifestService over a ManifestStore. */
export function manifestRoutes(store: ManifestStore, options?: RoutesOptions): Routes<typeof ManifestService> {
  return defineRoutes(
    ManifestService,
    {
      async putManifest(requests, context) {
        const { header, rest } = await openUpload(requests, "header");
        const manifest = { key: keyFromWire(header.key), attributes: attributesFromWire(header.attributes) };
        const { created, info } = await store.put(manifest, uploadedPages(rest), callOptions(context));
        return { created, info: infoToWire(info) };
      },

      async *getManifest({ key }, context) {
        for await (const page of store.get(keyFromWire(key), callOptions(context))) yield { page: pageToWire(page) };
      },

      async statManifest({ key }, context) {
        return { info: infoToWire(await store.stat(keyFromWire(key), callOptions(context))) };
      },

      async *getBlockRefs({ key, range }, context) {
        const pages = store.blockRefs(keyFromWire(key), rangeFromWire(range), callOptions(context));
        for await (const page of pages) yield { page: pageToWire(page) };
      },

      async deleteManifest({ key }, context) {
        await store.delete(keyFromWire(key), callOptions(context));
        return {};
      },

      async *listManifests(request, context) {
        for await (const info of store.list({ ...listFromWire(request), ...callOptions(context) })) {
          yield { info: infoToWire(info) };
        }
      },

      async findMissingBlocks({ keys }, context) {
        const missing = await store.findMissingBlocks(keys.map(keyFromWire), callOptions(context));
        return { missing: missing.map(keyToWire) };
      },

      async recordBlocks({ keys }, context) {
        await store.recordBlocks(keys.map(keyFromWire), callOptions(context));
        return {};
      },
    },
    options,
  );
}

async function* uploadedPages(
  parts: AsyncIterable<{ readonly case: "page"; readonly value: WirePage }>,
): AsyncGenerator<ManifestPage, void, void> {
  for await (const { value } of parts) yield pageFromWire(value);
}

function infoToWire({ advertised, confirmed }: ManifestInfo) {
  return { advertised: attributesToWire(advertised), confirmed: confirmedToWire(confirmed) };
}
