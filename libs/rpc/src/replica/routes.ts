import { formatLocator, parseLocator } from "@graviton/ports/locator";
import type { ReplicaIndex } from "@graviton/ports/replica-index";
import { ReplicaIndexService } from "@graviton/proto/graviton/replica/v1/replica_pb";
import { keyFromWire } from "../convert.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";

/** ReplicaIndexService over a ReplicaIndex. */
export function replicaRoutes(index: ReplicaIndex, options?: RoutesOptions): Routes<typeof ReplicaIndexService> {
  return defineRoutes(
    ReplicaIndexService,
    {
      async getReplicas({ key }, context) {
        const locators = await index.replicas(keyFromWire(key), callOptions(context));
        return { locators: locators.map(formatLocator) };
      },

      async updateReplicas({ key, locators }, context) {
        await index.update(keyFromWire(key), locators.map(parseLocator), callOptions(context));
        return {};
      },
    },
    options,
  );
}
