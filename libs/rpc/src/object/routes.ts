import { formatLocator, parseLocator, parseLocatorPrefix } from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo } from "@graviton/ports/object-store";
import { ObjectService } from "@graviton/proto/graviton/object/v1/object_pb";
import { listFromWire, rangeFromWire } from "../convert.ts";
import { framed, openUpload, uploadedBytes } from "../frames.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";

/** ObjectService over a MutableObjectStore. */
export function objectRoutes(store: MutableObjectStore, options?: RoutesOptions): Routes<typeof ObjectService> {
  return defineRoutes(
    ObjectService,
    {
      async headObject({ locator }, context) {
        return { info: infoToWire(await store.head(parseLocator(locator), callOptions(context))) };
      },

      async *listObjects(request, context) {
        const prefix = parseLocatorPrefix(request.prefix);
        for await (const info of store.list(prefix, { ...listFromWire(request), ...callOptions(context) })) {
          yield { info: infoToWire(info) };
        }
      },

      async *getObject({ locator, range }, context) {
        const bytes = store.get(parseLocator(locator), rangeFromWire(range), callOptions(context));
        for await (const frame of framed(bytes)) yield { frame };
      },

      async putObject(requests, context) {
        const { header, rest } = await openUpload(requests, "header");
        const putOptions = { ifAbsent: header.ifAbsent, ...callOptions(context) };
        return { info: infoToWire(await store.put(parseLocator(header.locator), uploadedBytes(rest), putOptions)) };
      },

      async deleteObject({ locator }, context) {
        await store.delete(parseLocator(locator), callOptions(context));
        return {};
      },

      async copyObject({ from, to }, context) {
        return { info: infoToWire(await store.copy(parseLocator(from), parseLocator(to), callOptions(context))) };
      },
    },
    options,
  );
}

function infoToWire({ locator, size, modifiedAt, etag }: ObjectInfo) {
  const modifiedAtMs = BigInt(Math.floor(modifiedAt));
  return { locator: formatLocator(locator), size: BigInt(size), modifiedAtMs, etag };
}
