import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A second process under measurement. Disposing it ends it. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Starts a script on this Node, and waits for a line of its output that matches. */
  static async start(
    script: string,
    args: readonly string[],
    line: RegExp,
  ): Promise<{ child: Child; match: RegExpExecArray }> {
    const process_ = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const child = new Child(process_);
    for await (const text of createInterface({ input: process_.stdout })) {
      const match = line.exec(text);
      if (match === null) continue;
      process_.stdout.resume();
      return { child, match };
    }
    throw new Error(`${script} ended without a line that matches ${line}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill("SIGTERM");
    await once(this.#process, "exit");
  }
}
