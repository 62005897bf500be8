import { type Context, context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

/** Where a process tells of what it does. */
export interface TracingInit {
  /** `http://collector:4318`; traces go to `/v1/traces` of it. */
  readonly endpoint: string;
  readonly process: string;
  readonly version: string;
}

/** Spans that nobody collected yet are dropped when the process ends later than this, in milliseconds. */
const flushMsMax = 2000;

/** Sends traces to a collector by OTLP from now on. Disposing it sends what is left. */
export function startTracing({ endpoint, process, version }: TracingInit): AsyncDisposable {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
    timeoutMillis: flushMsMax,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": process, "service.version": version }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  return {
    async [Symbol.asyncDispose]() {
      await provider.shutdown().catch(() => {});
      trace.disable();
      context.disable();
    },
  };
}

/** One piece of work in a trace. */
export interface TracedWork {
  run<T>(work: () => T): T;
  /** @param failure the reason or status when the work failed */
  end(failure?: string): void;
}

/** Begins the span of a call that is served, as a child of the caller's. */
export function traceCall(name: string, header: Headers, attributes: Readonly<Record<string, string>>): TracedWork {
  return traced(name, SpanKind.SERVER, attributes, callerOf(header));
}

/** Begins the span of work inside of a call. */
export function traceWork(name: string, attributes: Readonly<Record<string, string>>): TracedWork {
  return traced(name, SpanKind.INTERNAL, attributes, context.active());
}

/** The header that makes the next process's spans children of the active one. W3C Trace Context, §3.2. */
export function traceHeaders(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !trace.isSpanContextValid(span)) return {};
  const flags = span.traceFlags.toString(16).padStart(2, "0");
  return { traceparent: `00-${span.traceId}-${span.spanId}-${flags}` };
}

function callerOf(header: Headers): Context {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header.get("traceparent") ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const caller = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return trace.isSpanContextValid(caller) ? trace.setSpanContext(ROOT_CONTEXT, caller) : ROOT_CONTEXT;
}

function traced(
  name: string,
  kind: SpanKind,
  attributes: Readonly<Record<string, string>>,
  parent: Context,
): TracedWork {
  const span: Span = trace.getTracer("graviton").startSpan(name, { kind, attributes }, parent);
  const inside = trace.setSpan(parent, span);
  return {
    run: (work) => context.with(inside, work),
    end(failure) {
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end();
    },
  };
}
