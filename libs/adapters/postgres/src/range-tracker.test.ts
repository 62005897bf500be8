import { rangeTrackerContract } from "@graviton/conformance/range-tracker";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { RemoteRangeTracker } from "@graviton/rpc/range/remote";
import { rangeRoutes } from "@graviton/rpc/range/routes";
import { PostgresRangeTracker } from "./range-tracker.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";

describePostgres("PostgresRangeTracker", (server) => {
  const subject = postgresSubject<RangeTracker>(server, {
    name: "PostgresRangeTracker",
    open: (database, close) => new PostgresRangeTracker(database, close),
    damage: `UPDATE ranges SET spans = set_byte(spans, 15, get_byte(spans, 15) # 1) WHERE locator = $1`,
  });

  describeContract(rangeTrackerContract, subject);
  describeContract(
    rangeTrackerContract,
    overGrpc(subject, rangeRoutes, (channel) => new RemoteRangeTracker(channel)),
  );
});
