import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "@jest/globals";

/** The repository's own folder. */
export const root = join(import.meta.dirname, "..", "..");

const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "graviton", "checkers");

const programs = {
  compose: join(folder, "bin", "compose-spec"),
  hadolint: join(folder, "bin", "hadolint"),
  kubernetesValidate: join(folder, "bin", "kubernetes-validate"),
  kustomize: join(folder, "bin", "kustomize"),
  promtool: join(folder, "bin", "promtool"),
  python: join(folder, "python", "bin", "python"),
};

/** Programs that `install-checkers.sh` installs. */
export type Checker = keyof typeof programs;

/**
 * Describes tests that need some checkers. Where one is not installed they show as skipped, with the reason in their
 * name; on a CI, where all have to be, they fail.
 */
export function describeWith(checkers: readonly Checker[], what: string, define: () => void): void {
  const missing = checkers.filter((checker) => !existsSync(programs[checker]));
  if (missing.length === 0) {
    describe(what, define);
    return;
  }
  const reason = `no ${missing.join(", ")}: run deploy/testing/install-checkers.sh`;
  const name = `${what} (skipped: ${reason})`;
  if (process.env.CI) test(name, () => Promise.reject(new Error(reason)));
  else test.skip(name, () => {});
}

/**
 * What a checker prints.
 *
 * @throws Error with all of its output when it finds fault
 */
export function check(checker: Checker, args: readonly string[], { input = "", cwd = root } = {}): string {
  try {
    const options = { cwd, encoding: "utf8", input, maxBuffer: 64 * 1024 * 1024, stdio: "pipe" } as const;
    return execFileSync(programs[checker], args, options);
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${checker} ${args.join(" ")}: ${stdout ?? ""}${stderr ?? ""}`, { cause: error });
  }
}

/** What a checker prints about a text, whose file is the last of its arguments. */
export function checkText(checker: Checker, args: readonly string[], text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "graviton-checked-"));
  try {
    const file = join(folder, "text.yaml");
    writeFileSync(file, text);
    return check(checker, [...args, file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The documents of a YAML text. */
export function parseYaml<T>(text: string): T[] {
  const program = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
  return JSON.parse(check("python", ["-c", program], { input: text }));
}
