import { type Channel, connect } from "@graviton/rpc/channel";
import { createLog } from "../log.ts";
import type { DependencyState } from "../readiness.ts";
import { type RunningService, type ServiceDefinition, startService } from "../run-service.ts";
import { readConfig } from "../settings.ts";

/** A process that runs inside of the test's own, on free ports. Disposing it drains it. */
export interface TestProcess extends AsyncDisposable {
  readonly service: RunningService;
  /** Of its gRPC port, `host:port`. */
  readonly address: string;
  /** To its gRPC port. */
  readonly channel: Channel;
  /** What it has logged. */
  readonly lines: readonly Record<string, unknown>[];
  /** A page of its admin port. */
  page(path: string): Promise<Page>;
  /** Resolves once `/readyz` is 200. */
  ready(): Promise<void>;
  /** Resolves to what `/readyz` says of the dependencies that do not answer, once it is 503 because of one that does not. */
  unready(): Promise<string>;
}

export interface Page {
  readonly status: number;
  readonly text: string;
}

/** How long a process may take to notice something, in milliseconds: far longer than it needs on a busy machine. */
const patienceMs = 45_000;

/** @param environment beside the ports */
export async function startProcess(
  definition: ServiceDefinition,
  environment: Readonly<Record<string, string>>,
): Promise<TestProcess> {
  const { name } = definition;
  const ports = { GRAVITON_GRPC_PORT: "0", GRAVITON_ADMIN_PORT: "0" };
  const http = name === "gateway" ? { GRAVITON_HTTP_PORT: "0" } : {};
  const config = readConfig(name, { ...ports, ...http, ...environment });
  const lines: Record<string, unknown>[] = [];
  const log = createLog(name, config, { write: (line) => void lines.push(JSON.parse(line)) });
  const service = await startService(definition, config, log);
  const address = `127.0.0.1:${service.grpcPort}`;
  const channel = connect(address);
  const page = async (path: string): Promise<Page> => {
    const response = await fetch(`http://127.0.0.1:${service.adminPort}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const whatFails = async () => {
    const { status, text } = await page("/readyz");
    const { dependencies } = JSON.parse(text) as { dependencies: DependencyState[] };
    const failing = dependencies.filter(({ ready }) => !ready).map(({ name, why }) => `${name}: ${why}`);
    return { status, text: failing.join("\n") };
  };
  const dispose = async () => {
    await channel[Symbol.asyncDispose]();
    await service.drain();
  };
  let disposed: Promise<void> | undefined;
  return {
    service,
    address,
    channel,
    lines,
    page,
    ready: async () => void (await until(whatFails, ({ status }) => status === 200)),
    async unready() {
      await service.readiness.asked;
      return (await until(whatFails, ({ status, text }) => status === 503 && text !== "")).text;
    },
    async [Symbol.asyncDispose]() {
      disposed ??= dispose();
      await disposed;
    },
  };
}

/** Asks until the answer is the wanted one. */
export async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > giveUpAt) throw new Error(`waited in vain, at last for ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
