import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

/** One example program. Every one of them does the same, and prints the same about it. */
export interface Example {
  readonly language: string;
  /** What this machine lacks to run it; undefined when it lacks nothing. */
  lacks(): string | undefined;
  /** Stores the file in the Graviton at the endpoint, `http://host:port`, and gives what the program printed. */
  run(endpoint: string, file: string): Promise<string>;
}

const root = join(import.meta.dirname, "..");
const protos = ["core", "blob"].map((name) => `graviton/${name}/v1/${name}.proto`);

const python: Example = {
  language: "Python",
  lacks: () => {
    const check = "import ensurepip, sys; sys.exit(sys.version_info < (3, 10))";
    return succeeds("python3", ["-c", check]) ? undefined : "there is no Python 3.10 with venv on this machine";
  },
  async run(endpoint, file) {
    const sources = join(root, "examples/python");
    const built = await prepared("python", [join(sources, "requirements.txt")], async (folder) => {
      await execute("python3", ["-m", "venv", "venv"], folder);
      const interpreter = join(folder, "venv/bin/python");
      await execute(interpreter, ["-m", "pip", "install", "-r", join(sources, "requirements.txt")], folder);
      await mkdir(join(folder, "generated"));
      const outputs = ["--python_out=generated", "--grpc_python_out=generated"];
      const inputs = ["-I", join(root, "proto"), ...protos];
      await execute(interpreter, ["-m", "grpc_tools.protoc", ...inputs, ...outputs], folder);
    });
    const program = join(sources, "graviton_example.py");
    const environment = { PYTHONPATH: join(built, "generated"), PYTHONDONTWRITEBYTECODE: "1" };
    return execute(join(built, "venv/bin/python"), [program, endpoint, file], built, environment);
  },
};

const go: Example = {
  language: "Go",
  // A Go that is too old for the module refuses it.
  lacks: () => (succeeds("go", ["list", "-m"], "examples/go") ? undefined : "there is no Go 1.24 on this machine"),
  async run(endpoint, file) {
    const sources = ["go.mod", "go.sum", "buf.gen.yaml", "main.go"].map((name) => join(root, "examples/go", name));
    const built = await prepared("go", sources, async (folder) => {
      for (const source of sources) await copyFile(source, join(folder, basename(source)));
      const buf = join(root, "node_modules/@bufbuild/buf/bin/buf");
      const paths = protos.flatMap((name) => ["--path", join(root, "proto", name)]);
      await execute(process.execPath, [buf, "generate", root, ...paths], folder);
      await execute("go", ["build", "-o", "graviton-example", "."], folder);
    });
    return execute(join(built, "graviton-example"), [endpoint, file], built);
  },
};

const typescript: Example = {
  language: "TypeScript",
  lacks: () => undefined,
  run: (endpoint, file) =>
    execute(process.execPath, [join(root, "examples/typescript/graviton-example.ts"), endpoint, file], root),
};

/** All examples. What they need is fetched and built once, outside of the repository. */
export const examples: readonly Example[] = [python, go, typescript];

function succeeds(command: string, args: readonly string[], folder = "."): boolean {
  return spawnSync(command, args, { cwd: join(root, folder) }).status === 0;
}

/** The folder that `build` fills, kept from run to run for as long as the inputs and the protos stay the same. */
async function prepared(
  name: string,
  inputs: readonly string[],
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const digest = await digestOf([
    ...inputs,
    ...protos.map((proto) => join(root, "proto", proto)),
    import.meta.filename,
  ]);
  const folder = join(tmpdir(), `graviton-example-${name}-${digest}`);
  if (existsSync(folder)) return folder;
  const beside = await mkdtemp(`${folder}-`);
  try {
    await build(beside);
    await rename(beside, folder);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    // Somebody else who built the same was first.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function digestOf(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(await readFile(path)).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** Runs a command to its end, and gives what it printed. Its errors tell what it said on standard error. */
async function execute(
  command: string,
  args: readonly string[],
  folder: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<string> {
  const options = { cwd: folder, env: { ...process.env, ...environment } };
  const { stdout } = await promisify(execFile)(command, args, options);
  return stdout;
}
