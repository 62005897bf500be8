import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";

/** Which packages of ours each package may stand on at run time. `*` stands for everything below the services. */
const layers: Record<string, readonly string[]> = {
  ports: [],
  proto: [],
  conformance: ["ports"],
  cas: ["ports"],
  decorators: ["ports"],
  memory: ["ports"],
  filesystem: ["ports"],
  leveldb: ["ports"],
  s3: ["ports"],
  postgres: ["ports"],
  rpc: ["ports", "proto"],
  service: ["ports", "proto", "rpc"],
  client: ["ports", "rpc", "decorators", "cas"],
  gateway: ["ports", "proto", "rpc", "service", "cas", "decorators"],
  "block-service": ["ports", "rpc", "service", "decorators", "cas", "memory", "filesystem", "s3"],
  "manifest-service": ["ports", "rpc", "service", "decorators", "memory", "leveldb", "postgres"],
  "kv-service": ["ports", "rpc", "service", "decorators", "memory", "leveldb", "postgres"],
  "object-service": ["ports", "rpc", "service", "decorators", "memory", "filesystem", "s3", "postgres"],
  cluster: ["ports", "rpc", "service", "postgres", "s3"],
  embedded: ["ports", "proto", "rpc", "service", "cas", "decorators", "filesystem", "leveldb", "gateway"],
  cli: ["ports", "rpc", "cas", "client", "conformance", "service", "embedded", "decorators", "postgres"],
  bench: [
    "ports",
    "proto",
    "rpc",
    "service",
    "cas",
    "memory",
    "filesystem",
    "leveldb",
    "postgres",
    "s3",
    "client",
    "embedded",
    "cluster",
  ],
};

const root = import.meta.dirname;
const packages = ["libs", "libs/adapters", "services", "."].flatMap((parent) =>
  readdirSync(join(root, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && hasManifest(join(root, parent, entry.name)))
    .map((entry) => describePackage(join(root, parent, entry.name))),
);

describe("the direction of imports", () => {
  test("every package has its place in the layers", () => {
    expect(packages.map(({ name }) => name).sort()).toEqual(Object.keys(layers).sort());
  });

  test.each(packages)("$name declares only packages of the layers below it", ({ name, dependencies }) => {
    const ours = dependencies.filter((dependency) => dependency.startsWith("@graviton/"));
    expect(ours.filter((dependency) => !layers[name]?.includes(dependency.slice("@graviton/".length)))).toEqual([]);
  });

  test.each(packages)("$name imports only what it declares", ({ files, dependencies, devDependencies }) => {
    const undeclared = files.flatMap(({ path, imports }) => {
      const declared = forTests(path) ? [...dependencies, ...devDependencies] : dependencies;
      return imports.filter((name) => !declared.includes(name)).map((name) => `${path}: ${name}`);
    });
    expect(undeclared).toEqual([]);
  });

  test.each(packages)("$name declares only what it imports", ({ files, dependencies }) => {
    const imported = new Set(files.flatMap(({ imports }) => imports));
    expect(dependencies.filter((dependency) => !imported.has(dependency))).toEqual([]);
  });

  test.each(packages)("$name has no barrels, and no folder for what has no name", ({ files }) => {
    const nameless = /(^|\/)(utils?|common|helpers?|misc|shared)(\/|\.ts$)|(^|\/)index\.ts$/;
    expect(files.map(({ path }) => path).filter((path) => nameless.test(path))).toEqual([]);
  });
});

interface SourceFile {
  readonly path: string;
  /** Names of the packages that it imports. */
  readonly imports: readonly string[];
}

function describePackage(folder: string) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return {
    name: String(manifest.name).replace("@graviton/", ""),
    dependencies: Object.keys(manifest.dependencies ?? {}),
    devDependencies: Object.keys(manifest.devDependencies ?? {}),
    files: sources(join(folder, "src")),
  };
}

function sources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, imports: importsOf(readFileSync(join(folder, path), "utf8")) }));
}

function importsOf(source: string): string[] {
  const statement = /^(?:import|export)\b[^;("=]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  const specifiers = [...source.matchAll(statement)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? "");
  return [...new Set(specifiers.filter((name) => !name.startsWith(".") && !isBuiltin(name)).map(packageOf))];
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** Tests may use more than what ships: the contracts, and other adapters to stand on. */
function forTests(path: string): boolean {
  return path.endsWith(".test.ts") || path.includes("testing/") || path.endsWith("over-grpc.ts");
}

function hasManifest(folder: string): boolean {
  return readdirSync(folder).includes("package.json");
}
