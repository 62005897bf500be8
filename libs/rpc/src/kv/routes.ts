import type { KeyValueOperation, KeyValueRange, KeyValueStore } from "@graviton/ports/key-value-store";
import { frameBytesMax } from "@graviton/ports/limits";
import {
  KeyValueService,
  type Operation as WireOperation,
  type ScanRequest as WireScan,
} from "@graviton/proto/graviton/kv/v1/kv_pb";
import { batchesOf } from "../batches.ts";
import { countFromWire } from "../convert.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";

/** KeyValueService over a KeyValueStore. */
export function kvRoutes(store: KeyValueStore, options?: RoutesOptions): Routes<typeof KeyValueService> {
  return defineRoutes(
    KeyValueService,
    {
      async get({ key }, context) {
        const value = await store.get(key, callOptions(context));
        return value === undefined ? {} : { value };
      },

      async put({ key, value }, context) {
        await store.put(key, value, callOptions(context));
        return {};
      },

      async delete({ key }, context) {
        await store.delete(key, callOptions(context));
        return {};
      },

      async batch({ operations }, context) {
        await store.batch(operations.map(operationFromWire), callOptions(context));
        return {};
      },

      async compareAndSwap({ key, expected, next }, context) {
        await store.compareAndSwap(key, expected, next, callOptions(context));
        return {};
      },

      async *scan(request, context) {
        const pairs = store.scan(rangeFromWire(request), callOptions(context));
        const weigh = ({ key, value }: { key: string; value: Uint8Array }) => key.length * 3 + value.length;
        for await (const page of batchesOf(pairs, frameBytesMax, weigh)) yield { pairs: page };
      },
    },
    options,
  );
}

function operationFromWire({ key, value }: WireOperation): KeyValueOperation {
  return value === undefined ? { kind: "delete", key } : { kind: "put", key, value };
}

function rangeFromWire({ prefix, after, from, before, limit }: WireScan): KeyValueRange {
  return { prefix, after, from, before, ...(limit === 0n ? {} : { limit: countFromWire(limit, "limit") }) };
}
