import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { nodeOptions } from "@graviton/service/garbage-collection";

/** One process of the cluster. */
export interface ServiceProcessInit {
  /** The folder below `services/`. */
  readonly service: string;
  /** Its settings, and nothing else of Graviton's. It logs at `info` or more: that is how it tells its ports. */
  readonly settings: Readonly<Record<string, string>>;
  /** Takes each line that it prints. */
  readonly log: (line: string) => void;
}

/** The ports that a process says it listens on. */
interface Ports {
  readonly grpc: number;
  readonly admin: number;
  readonly http?: number;
}

/** A service in a process of its own. Disposing it ends it. */
export class ServiceProcess implements AsyncDisposable {
  readonly service: string;
  readonly ports: Ports;
  readonly #init: ServiceProcessInit;
  #child: ChildProcess;

  private constructor(init: ServiceProcessInit, child: ChildProcess, ports: Ports) {
    this.#init = init;
    this.#child = child;
    this.service = init.service;
    this.ports = ports;
  }

  /**
   * Starts it, and resolves once it listens.
   *
   * @throws Error with what it said, when it ends instead
   */
  static async start(init: ServiceProcessInit): Promise<ServiceProcess> {
    const { child, ports } = await spawnService(init);
    return new ServiceProcess(init, child, ports);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** `127.0.0.1:7481`. */
  get address(): string {
    return `127.0.0.1:${this.ports.grpc}`;
  }

  /** Resolves once its backend answers. */
  async ready(): Promise<void> {
    const deadline = Date.now() + readyMsMax;
    for (;;) {
      const said = await this.readiness().catch((error: unknown) => String(error));
      if (said === "ready") return;
      if (Date.now() > deadline) throw new Error(`${this.service} is not ready: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** `ready`, or what it says that is missing. */
  async readiness(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.ports.admin}/readyz`);
    const text = await response.text();
    return response.ok ? "ready" : text;
  }

  /** What it counts, in the text format of Prometheus. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.ports.admin}/metrics`)).text();
  }

  /** Sends a signal, and resolves to the exit code once the process has ended; null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, "exit");
    child.kill(signal);
    const [code] = await exit;
    return code;
  }

  /** Starts it again after its end, on the same ports. */
  async restart(): Promise<void> {
    const { grpc, admin, http } = this.ports;
    const ports = {
      GRAVITON_GRPC_PORT: String(grpc),
      GRAVITON_ADMIN_PORT: String(admin),
      ...(http === undefined ? {} : { GRAVITON_HTTP_PORT: String(http) }),
    };
    const { child } = await spawnService({ ...this.#init, settings: { ...this.#init.settings, ...ports } });
    this.#child = child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
  }
}

/** How long a process may take to listen, in milliseconds. */
const listenMsMax = 60_000;

/** How long a process may take to find its backend, in milliseconds. */
const readyMsMax = 60_000;
const pollMs = 100;

async function spawnService({
  service,
  settings,
  log,
}: ServiceProcessInit): Promise<{ child: ChildProcess; ports: Ports }> {
  // What the caller's own environment says of Graviton is not about this cluster.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GRAVITON_"));
  const main = join(import.meta.dirname, "../../services", service, "src/main.ts");
  const watch = join(import.meta.dirname, "end-with-parent.ts");
  const child = spawn(process.execPath, [...nodeOptions, "--import", watch, main], {
    env: { ...Object.fromEntries(own), ...settings },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const listening = Promise.withResolvers<Ports>();
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      if (said.length < 20) said.push(line);
      log(line);
      const ports = portsIn(line);
      if (ports !== undefined) listening.resolve(ports);
    });
  }
  child.once("close", (code) => {
    listening.reject(new Error(`${service} ended with ${code} before it listened:${reasonIn(said)}`));
  });
  const late = setTimeout(() => {
    child.kill("SIGKILL");
    listening.reject(new Error(`${service} did not listen within ${listenMsMax} ms:\n${said.join("\n")}`));
  }, listenMsMax);
  return { child, ports: await listening.promise.finally(() => clearTimeout(late)) };
}

/** What a process gave as the reason for its end, or all that it said. */
function reasonIn(said: readonly string[]): string {
  const fatal = said.findLast((line) => line.includes('"level":"fatal"'));
  return fatal === undefined ? `\n${said.join("\n")}` : ` ${JSON.parse(fatal).error}`;
}

function portsIn(line: string): Ports | undefined {
  if (!line.includes('"msg":"listening"')) return undefined;
  const { grpc, admin, http } = JSON.parse(line);
  return { grpc, admin, http };
}
