import type { CallObserver } from "@graviton/rpc/call-observer";
import { inCall, requestIdHeader, requestIdOf } from "./call-scope.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { traceCall } from "./tracing.ts";

/** Statuses that are the server's own fault, and worth its operator's attention. */
const faults = new Set(["UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"]);

/** Counts, logs and traces every call: one line each, with its request id. */
export function observeCalls(metrics: Metrics, log: Log): CallObserver {
  return ({ service, method, peer, header }) => {
    const began = performance.now();
    const requestId = requestIdOf(header);
    const labels = { service, method };
    const span = traceCall(`${service}/${method}`, header, { [requestIdHeader]: requestId });
    let received = 0;
    let sent = 0;
    metrics.callsInFlight.inc(labels);
    return {
      run: (work) => inCall({ requestId }, () => span.run(work)),
      received(bytes) {
        received += bytes;
        metrics.receivedBytes.inc(labels, bytes);
      },
      sent(bytes) {
        sent += bytes;
        metrics.sentBytes.inc(labels, bytes);
      },
      end(code) {
        const milliseconds = performance.now() - began;
        const failed = faults.has(code);
        metrics.callsInFlight.dec(labels);
        metrics.calls.inc({ ...labels, code });
        metrics.callSeconds.observe(labels, milliseconds / 1000);
        span.end(failed ? code : undefined);
        const facts = { requestId, peer, call: `${service}/${method}`, code, received, sent };
        log[failed ? "warn" : "info"]({ ...facts, milliseconds: Math.round(milliseconds * 10) / 10 }, "call");
      },
    };
  };
}
