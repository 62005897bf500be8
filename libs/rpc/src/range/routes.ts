import { parseLocator } from "@graviton/ports/locator";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { RangeTrackerService } from "@graviton/proto/graviton/range/v1/range_pb";
import { spanFromWire, spanToWire } from "../convert.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";

/** RangeTrackerService over a RangeTracker. */
export function rangeRoutes(tracker: RangeTracker, options?: RoutesOptions): Routes<typeof RangeTrackerService> {
  return defineRoutes(
    RangeTrackerService,
    {
      async getSpans({ locator }, context) {
        const spans = await tracker.current(parseLocator(locator), callOptions(context));
        return { spans: spans.map(spanToWire) };
      },

      async mergeSpan({ locator, span }, context) {
        const spans = await tracker.merge(parseLocator(locator), spanFromWire(span), callOptions(context));
        return { spans: spans.map(spanToWire) };
      },
    },
    options,
  );
}
