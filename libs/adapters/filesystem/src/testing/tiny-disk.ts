import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** For tests: a disk in memory of so many megabytes. Only root may have one. */
export function mountTinyDisk(megabytes: number): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "graviton-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    rmdirSync(path);
    throw error;
  }
  return {
    path,
    [Symbol.dispose]() {
      execFileSync("umount", ["--lazy", path]);
      rmdirSync(path);
    },
  };
}

/** Whether this process may mount a disk. */
export function canMountTinyDisk(): boolean {
  try {
    mountTinyDisk(1)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}
