import { rangeTrackerContract } from "@graviton/conformance/range-tracker";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { LevelRangeTracker } from "./range-tracker.ts";
import { recordKey } from "./tables.ts";
import { levelSubject } from "./testing/level-subject.ts";

const subject = levelSubject<RangeTracker>(
  "LevelRangeTracker",
  (database, close) => new LevelRangeTracker(database, close),
  (name) => recordKey("spans", name),
);

describeContract(rangeTrackerContract, subject);
describeContract(
  rangeTrackerContract,
  overGrpc(subject, rangeRoutes, (channel) => new RemoteRangeTracker(channel)),
);
