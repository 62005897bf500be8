import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3Config } from "../config.ts";

/** The S3 servers that tests and the local cluster can start: one program each, which `go install` builds. */
export const s3EngineNames = ["versitygw", "minio"] as const;

export type S3EngineName = (typeof s3EngineNames)[number];

/** An S3 that runs and has a bucket. */
export interface S3Engine {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
}

export interface S3EngineOptions {
  /** Which one to start. */
  readonly engine: S3EngineName;
  /** Keeps what is stored, also for the next start; without it everything goes with the engine. */
  readonly folder?: string;
  /** A free one when absent. */
  readonly port?: number;
}

/** The path of the program, looked for where the shell looks and where Go installs; undefined when there is none. */
export function findS3Engine(engine: S3EngineName): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(goPath(), "bin"), join(homedir(), "go", "bin")];
  return folders.map((folder) => join(folder, engine)).find(isExecutable);
}

/**
 * Starts an engine, which ends with its disposal or with this process, however that ends.
 *
 * @throws Error when the program is not there or does not start
 */
export async function startS3Engine({ engine, folder, port }: S3EngineOptions): Promise<S3Engine & AsyncDisposable> {
  const program = findS3Engine(engine);
  if (program === undefined) throw new Error(`there is no ${engine} in PATH or ${join(goPath(), "bin")}`);
  const root = folder ?? (await mkdtemp(join(tmpdir(), `graviton-${engine}-`)));
  await using started = new AsyncDisposableStack();
  if (folder === undefined) started.defer(() => rm(root, { recursive: true, force: true }));
  const data = join(root, "data");
  await mkdir(data, { recursive: true });
  const running = await startOneOf(await variants[engine](root, data), program, port);
  started.defer(() => running.stop());
  const { accessKeyId, secretAccessKey } = credentials;
  const engineAt = { endpoint: `http://127.0.0.1:${running.port}`, accessKeyId, secretAccessKey, bucket: "graviton" };
  await createBucket(engineAt);
  const owned = started.move();
  return { ...engineAt, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What a store needs to use the engine. */
export function configOf(engine: S3Engine): S3Config & { readonly prefix?: string } {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = engine;
  return { endpoint, bucket, pathStyle: true, credentials: { accessKeyId, secretAccessKey } };
}

/** Makes a bucket, where it is not there yet. */
export async function createBucket({ endpoint, bucket, ...credentials }: S3Engine): Promise<void> {
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!Error.isError(error) || !/^BucketAlready/.test(error.name)) throw error;
  } finally {
    client.destroy();
  }
}

/** A way to start a program at a port. */
interface Variant {
  readonly args: (port: number) => readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

const credentials = { accessKeyId: "graviton", secretAccessKey: "graviton-secret" };

/** For each engine the ways to start it; one that ends at once gives way to the next. */
const variants: Record<S3EngineName, (root: string, data: string) => Promise<readonly Variant[]>> = {
  async versitygw(root, data) {
    const sidecar = join(root, "sidecar");
    await mkdir(sidecar, { recursive: true });
    const env = { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey };
    const flags = (port: number) => ["--port", `127.0.0.1:${port}`, "--quiet", "--keep-alive", "posix"];
    return [
      { env, args: (port) => [...flags(port), data] },
      // For a file system without extended attributes.
      { env, args: (port) => [...flags(port), "--sidecar", sidecar, data] },
    ];
  },
  async minio(_, data) {
    const env = {
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      MINIO_BROWSER: "off",
      MINIO_UPDATE: "off",
    };
    return [{ env, args: (port) => ["server", "--quiet", "--address", `127.0.0.1:${port}`, data] }];
  },
};

interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

async function startOneOf(variants: readonly Variant[], program: string, port?: number): Promise<Running> {
  const failures: string[] = [];
  for (const variant of variants) {
    const running = await start(variant, program, port ?? (await freePort()));
    if (typeof running !== "string") return running;
    failures.push(running);
  }
  throw new Error(`${program} does not start: ${failures.join("\n")}`);
}

/**
 * Ends the program as soon as the standard input of this script closes, which it does also when this process is killed;
 * and ends itself as soon as the program has ended.
 */
const keeper = `exec 3<&0; "$@" </dev/null 3<&- & program=$!
{ cat <&3 >/dev/null; kill -9 $program; } 2>/dev/null & wait $program`;

/** Resolves once the program answers, or to what it said before it ended. */
async function start({ args, env }: Variant, program: string, port: number): Promise<Running | string> {
  const child = spawn("sh", ["-c", keeper, "sh", program, ...args(port)], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  const log = lastWords(child);
  const stop = async () => {
    child.stdin?.destroy();
    await ended;
  };
  for (let waited = 0; child.exitCode === null && waited < startMsMax; waited += pollMs) {
    if (await answers(port)) return { port, stop };
    await setTimeout(pollMs);
  }
  await stop();
  return log();
}

/** How long an engine may take to start, in milliseconds: a second on an idle machine. */
const startMsMax = 60_000;
const pollMs = 50;

function lastWords(child: ChildProcess): () => string {
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-4000);
  });
  return () => log;
}

/** An S3 that is not ready refuses even to refuse: it gives 503, or no answer. */
async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.status < 500;
  } catch {
    return false;
  }
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

function goPath(): string {
  try {
    return execFileSync("go", ["env", "GOPATH"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return join(homedir(), "go");
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
