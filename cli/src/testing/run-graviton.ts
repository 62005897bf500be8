import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** What a run of the command came to. */
export interface Ran {
  readonly code: number | null;
  /** What it printed, byte for byte. */
  readonly bytes: Buffer;
  /** The same as text. */
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the command. */
export interface RunOptions {
  readonly endpoint?: string | undefined;
  /** Its standard input; nothing when absent. */
  readonly input?: string | Uint8Array;
  /** Variables of its environment, beside those of the tester that are not Graviton's. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Runs the real command to its end. */
export async function runGraviton(
  args: readonly string[],
  { endpoint, input, settings }: RunOptions = {},
): Promise<Ran> {
  const child = startGraviton(args, endpoint, settings);
  child.stdin?.on("error", () => {}).end(input ?? "");
  const [bytes, errors, [code]] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, bytes, stdout: bytes.toString(), stderr: errors.toString() };
}

/** Starts the real command, all its streams piped. */
export function startGraviton(
  args: readonly string[],
  endpoint?: string,
  settings: RunOptions["settings"] = {},
): ChildProcess {
  // What the tester has set is not what the tests are about.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GRAVITON_"));
  const called = endpoint === undefined ? {} : { GRAVITON_ENDPOINT: endpoint };
  const env = { ...Object.fromEntries(own), ...settings, ...called };
  return spawn(process.execPath, [join(import.meta.dirname, "../main.ts"), ...args], { env, stdio: "pipe" });
}

async function readAll(stream: Readable | null): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream?.on("data", (bytes: Buffer) => parts.push(bytes));
  if (stream !== null) await once(stream, "close");
  return Buffer.concat(parts);
}
