import { rangeTrackerContract } from "@graviton/conformance/range-tracker";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { ByteSpan } from "@graviton/ports/byte-range";
import { spansPerLocatorMax } from "@graviton/ports/limits";
import { parseLocator } from "@graviton/ports/locator";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { expect, test } from "@jest/globals";
import { InMemoryRangeTracker } from "./range-tracker.ts";
import { memorySubject } from "./testing/memory-subject.ts";

const subject = memorySubject({
  name: "InMemoryRangeTracker",
  storage: () => new Map<string, readonly ByteSpan[]>(),
  open: (storage) => new InMemoryRangeTracker(storage),
});

describeContract(rangeTrackerContract, subject);
describeContract(
  rangeTrackerContract,
  overGrpc(subject, rangeRoutes, (channel) => new RemoteRangeTracker(channel)),
);

test("a span over the limit of a locator is TOO_LARGE and changes nothing, and one that joins others is not over it", async () => {
  const locator = parseLocator("s3://bucket/full");
  const full = Array.from({ length: spansPerLocatorMax }, (_, index) => ({ start: index * 10, end: index * 10 + 5 }));
  await using tracker = new InMemoryRangeTracker(new Map([["s3://bucket/full", full]]));
  const apart = { start: spansPerLocatorMax * 10, end: spansPerLocatorMax * 10 + 5 };
  await expect(tracker.merge(locator, apart)).rejects.toMatchObject({ reason: "TOO_LARGE" });
  expect(await tracker.current(locator)).toEqual(full);
  expect(await tracker.merge(locator, { start: 0, end: 10 })).toHaveLength(spansPerLocatorMax - 1);
});
