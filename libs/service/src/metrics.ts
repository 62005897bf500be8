import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Seconds. From a call that memory answers to an upload of minutes. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600];

const call = ["service", "method"] as const;
const operation = ["store", "backend", "method"] as const;

/** What a process counts, in the text format of Prometheus at `/metrics`: its own under `graviton_`, and those of Node and the process. */
export class Metrics {
  readonly registry = new Registry();

  readonly calls = new Counter({
    name: "graviton_calls_total",
    help: "Calls that ended, by their status.",
    labelNames: [...call, "code"],
    registers: [this.registry],
  });

  readonly callSeconds = new Histogram({
    name: "graviton_call_seconds",
    help: "How long calls took, from the first header to the status.",
    labelNames: call,
    buckets,
    registers: [this.registry],
  });

  readonly callsInFlight = new Gauge({
    name: "graviton_calls_in_flight",
    help: "Calls that have not ended.",
    labelNames: call,
    registers: [this.registry],
  });

  readonly receivedBytes = new Counter({
    name: "graviton_received_bytes_total",
    help: "Bytes of the messages of callers.",
    labelNames: call,
    registers: [this.registry],
  });

  readonly sentBytes = new Counter({
    name: "graviton_sent_bytes_total",
    help: "Bytes of the messages to callers.",
    labelNames: call,
    registers: [this.registry],
  });

  readonly freshBytes = new Counter({
    name: "graviton_fresh_bytes_total",
    help: "Bytes of blobs put whose blocks were not stored before.",
    registers: [this.registry],
  });

  readonly duplicateBytes = new Counter({
    name: "graviton_duplicate_bytes_total",
    help: "Bytes of blobs put whose blocks were stored already.",
    registers: [this.registry],
  });

  readonly storeOperations = new Counter({
    name: "graviton_store_operations_total",
    help: "Operations of stores that ended, by backend and outcome.",
    labelNames: [...operation, "outcome"],
    registers: [this.registry],
  });

  readonly storeOperationSeconds = new Histogram({
    name: "graviton_store_operation_seconds",
    help: "How long operations of stores took.",
    labelNames: operation,
    buckets,
    registers: [this.registry],
  });

  constructor({ process, version }: { readonly process: string; readonly version: string }) {
    collectDefaultMetrics({ register: this.registry });
    const build = new Gauge({
      name: "graviton_build_info",
      help: "Always 1; the labels tell what runs.",
      labelNames: ["process", "version", "node"],
      registers: [this.registry],
    });
    build.set({ process, version, node: globalThis.process.version }, 1);
  }

  /** A number, or one for each state, that is asked for whenever somebody reads the metrics. */
  gauge(name: string, help: string, read: () => number | Readonly<Record<string, number>>): void {
    const labelled = typeof read() !== "number";
    new Gauge({
      name,
      help,
      labelNames: labelled ? ["state"] : [],
      registers: [this.registry],
      collect() {
        const now = read();
        if (typeof now === "number") this.set(now);
        else for (const [state, count] of Object.entries(now)) this.set({ state }, count);
      },
    });
  }
}

/** Shows how many connections to its database a process has. */
export function observePool(
  metrics: Metrics,
  connections: () => { readonly busy: number; readonly idle: number; readonly waiting: number },
): void {
  metrics.gauge(
    "graviton_pool_connections",
    "Connections to Postgres that are busy or idle, and calls that wait for one.",
    () => ({ ...connections() }),
  );
}

/** Shows how many calls that move bytes have a place, and how many wait for one. */
export function observePlaces(metrics: Metrics, places: { readonly taken: number; readonly waiting: number }): void {
  metrics.gauge("graviton_places_taken", "Calls that move bytes and have a place.", () => places.taken);
  metrics.gauge("graviton_places_waiting", "Calls that move bytes and wait for a place.", () => places.waiting);
}

/** Shows whether a process is ready. */
export function observeReadiness(metrics: Metrics, readiness: { readonly ready: boolean }): void {
  metrics.gauge("graviton_ready", "1 when what the process needs answers, and nobody asked it to end.", () =>
    Number(readiness.ready),
  );
}
