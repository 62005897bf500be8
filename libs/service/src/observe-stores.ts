import type { Metrics } from "./metrics.ts";
import { traceWork } from "./tracing.ts";

/** Counts and traces what a store does. */
export function observeStores(metrics: Metrics, backend: string) {
  return {
    begin({ store, method }: { readonly store: string; readonly method: string }) {
      const began = performance.now();
      const labels = { store, backend, method };
      const span = traceWork(`${store}.${method}`, { backend });
      return {
        run: <T>(work: () => T): T => span.run(work),
        end(outcome: string) {
          metrics.storeOperations.inc({ ...labels, outcome });
          metrics.storeOperationSeconds.observe(labels, (performance.now() - began) / 1000);
          span.end(outcome === "ok" ? undefined : outcome);
        },
      };
    },
  };
}
