import { isServerFault, isStorageError } from "@graviton/ports/storage-error";
import type { CallObserver } from "@graviton/rpc/call-observer";
import type { Routes, RoutesOptions } from "@graviton/rpc/routes";
import { serveGrpc } from "@graviton/rpc/server";
import { type AdminServer, adminServer } from "./admin-server.ts";
import { currentCall, requestIdHeader } from "./call-scope.ts";
import { tuneGarbageCollection } from "./garbage-collection.ts";
import { Health } from "./health.ts";
import { createLog, type Log } from "./log.ts";
import { Metrics, observeReadiness } from "./metrics.ts";
import { observeCalls } from "./observe-calls.ts";
import { type Dependency, Readiness } from "./readiness.ts";
import { registerReflection } from "./reflection.ts";
import { type Config, type ProcessName, readConfig } from "./settings.ts";
import { helpText } from "./settings-document.ts";
import { stopSignal } from "./stop-signal.ts";
import { startTracing, traceHeaders } from "./tracing.ts";

/** One of the processes that Graviton is made of. */
export interface ServiceDefinition {
  readonly name: ProcessName;
  /** What it does, in half a sentence. */
  readonly says: string;
  readonly version: string;
  /** Makes what it serves. It must not wait for its backend: that is what the dependencies are asked for. */
  open(context: ServiceContext): Promise<Service>;
}

/** What a process gives to the service that it runs. */
export interface ServiceContext {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly observer: CallObserver;
  readonly routesOptions: RoutesOptions;
  /** What goes with every call to another service: the request's id, and the trace that it belongs to. */
  readonly headers: () => Readonly<Record<string, string>>;
}

/** What a process serves. Disposing it closes its backends. */
export interface Service extends AsyncDisposable {
  readonly routes: readonly Routes[];
  readonly dependencies: readonly Dependency[];
  /** How long the client of a gRPC call may stand still, in milliseconds; for ever when absent. */
  readonly silenceMsMax?: number | undefined;
  /** A second port, where there is one, once the port for gRPC is known. */
  listen?(grpcPort: number): Promise<Listener>;
}

/** A port of its own. */
export interface Listener {
  readonly name: string;
  readonly port: number;
  drain(graceMs: number): Promise<void>;
}

/** A process that runs. */
export interface RunningService {
  readonly grpcPort: number;
  readonly adminPort: number;
  /** The port of {@link Service.listen}. */
  readonly httpPort: number | undefined;
  readonly readiness: Readiness;
  /** Says that it serves no more, lets the calls in flight end within the grace, and closes what it opened. */
  drain(): Promise<void>;
}

/** Exit code for a command line or an environment that is wrong. */
const exitUsage = 2;

/**
 * The whole of a process: reads its configuration, serves until SIGINT or SIGTERM, and drains.
 *
 * @returns the exit code: 0 after a signal, 1 when it cannot listen or end in good order, 2 for a wrong configuration
 */
export async function runService(
  definition: ServiceDefinition,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) return tell(helpText(definition.name, definition.says));
  if (args.includes("--version") || args.includes("-V")) return tell(definition.version);
  const [unknown] = args;
  if (unknown !== undefined) return refuse(`unknown argument ${JSON.stringify(unknown)}: see --help`, exitUsage);
  tuneGarbageCollection();
  // Before anything is printed: whoever reads it may already send the signal.
  const stopped = stopSignal();
  let config: Config;
  try {
    config = readConfig(definition.name, environment);
  } catch (error) {
    return refuse(messageOf(error), exitUsage);
  }
  const log = createLog(definition.name, config);
  let running: RunningService;
  try {
    running = await startService(definition, config, log);
  } catch (error) {
    log.fatal({ error: messageOf(error) }, "cannot start");
    return 1;
  }
  const signal = await stopped;
  log.info({ signal }, "draining");
  try {
    await running.drain();
    log.info("stopped");
    return 0;
  } catch (error) {
    log.fatal({ error: messageOf(error) }, "did not end in good order");
    return 1;
  }

  function refuse(message: string, code: number): number {
    for (const line of message.split("\n")) process.stderr.write(`${definition.name}: ${line}\n`);
    return code;
  }
}

/**
 * Starts a process's ports inside of this one, and returns once it listens.
 *
 * @throws StorageError UNAVAILABLE when a port cannot be had; nothing is left running then
 */
export async function startService(definition: ServiceDefinition, config: Config, log: Log): Promise<RunningService> {
  const { name, version } = definition;
  const graceMs = config.graceSeconds * 1000;
  await using opened = new AsyncDisposableStack();
  if (config.otlpEndpoint !== undefined) {
    opened.use(startTracing({ endpoint: config.otlpEndpoint, process: name, version }));
  }
  const metrics = new Metrics({ process: name, version });
  const observer = observeCalls(metrics, log);
  const routesOptions: RoutesOptions = { onError: (error, { method }) => logFailure(log, error, method) };
  const service = opened.use(
    await definition.open({ config, log, metrics, observer, routesOptions, headers: outgoingHeaders }),
  );
  const health = new Health(service.routes.map((routes) => routes.service.typeName));
  const readiness = opened.use(new Readiness(service.dependencies, health, log));
  observeReadiness(metrics, readiness);
  const admin: AdminServer = opened.use(
    await adminServer({ host: config.host, port: config.adminPort, metrics, readiness }),
  );
  const grpc = opened.use(
    await serveGrpc({
      routes: service.routes,
      host: config.host,
      port: config.grpcPort,
      connectionAgeMs: config.connectionAgeSeconds * 1000,
      silenceMsMax: service.silenceMsMax,
      observer,
      register: (server) => {
        health.register(server);
        registerReflection(
          server,
          service.routes.map((routes) => routes.service.file),
        );
      },
    }),
  );
  const second = await service.listen?.(grpc.port);
  if (second !== undefined) opened.defer(() => second.drain(0));
  const ports = { grpc: grpc.port, admin: admin.port, ...(second === undefined ? {} : { [second.name]: second.port }) };
  log.info({ version, host: config.host, ...ports }, "listening");

  const stack = opened.move();
  const drain = async () => {
    await readiness.stop();
    await Promise.all([grpc.drain(graceMs), second?.drain(graceMs)]);
    await stack.disposeAsync();
  };
  return { grpcPort: grpc.port, adminPort: admin.port, httpPort: second?.port, readiness, drain };
}

function outgoingHeaders(): Readonly<Record<string, string>> {
  const call = currentCall();
  return call === undefined ? traceHeaders() : { [requestIdHeader]: call.requestId, ...traceHeaders() };
}

/** The log may show what the caller must not see. */
function logFailure(log: Log, error: unknown, method: string): void {
  if (!isServerFault(error)) return;
  const requestId = currentCall()?.requestId;
  const facts = isStorageError(error) ? { reason: error.reason, resource: error.resource, cause: causeOf(error) } : {};
  const stack = isStorageError(error) || !Error.isError(error) ? {} : { stack: error.stack };
  log.error({ requestId, call: method, error: messageOf(error), ...facts, ...stack }, "failed");
}

function causeOf(error: Error): string | undefined {
  return error.cause === undefined ? undefined : messageOf(error.cause);
}

function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}

function tell(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
