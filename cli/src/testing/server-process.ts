import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** `graviton serve` in a process of its own, on free ports. Disposing it kills it. */
export class ServerProcess implements AsyncDisposable {
  readonly endpoint: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, endpoint: string) {
    this.#process = process;
    this.endpoint = endpoint;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves once it serves. */
  static async start(folder: string): Promise<ServerProcess> {
    const main = join(import.meta.dirname, "../main.ts");
    const args = [main, "serve", "--data", folder, "--grpc-port", "0", "--http-port", "0"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: child.stdout })) {
      const endpoint = /gRPC\s+(http:\S+)/.exec(line)?.[1];
      if (endpoint === undefined) continue;
      child.stdout.resume();
      return new ServerProcess(child, endpoint);
    }
    throw new Error("the server ended before it served");
  }

  /** Sends a signal, and resolves to the exit code once the process has ended; null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exit = once(this.#process, "exit");
    this.#process.kill(signal);
    const [code] = await exit;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.end("SIGKILL");
  }
}
