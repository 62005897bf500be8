import type { FileHandle } from "node:fs/promises";
import { type FileLayer, nodeFiles } from "../file-layer.ts";

/** One operation that a test sees: `rename`, `handle.sync`; and the path that it works on. */
export type Watch = (operation: string, path: string) => void;

/**
 * For tests: Node's file operations, each reported before it runs. A watch that throws makes the operation fail without
 * having run; only closing a handle runs all the same, since a handle is gone also when closing it fails.
 */
export function watchedFiles(watch: Watch): FileLayer {
  return new Proxy(nodeFiles, {
    get(files, name: keyof FileLayer) {
      return async (...args: [string, ...unknown[]]) => {
        watch(name, name === "rename" || name === "link" ? String(args[1]) : args[0]);
        const call = files[name] as (...args: unknown[]) => Promise<unknown>;
        const result = await call(...args);
        return name === "open" ? watchedHandle(result as FileHandle, args[0], watch) : result;
      };
    },
  });
}

function watchedHandle(handle: FileHandle, path: string, watch: Watch): FileHandle {
  return new Proxy(handle, {
    get(_, name: keyof FileHandle) {
      const member = handle[name];
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        if (name === "close") await handle.close();
        watch(`handle.${String(name)}`, path);
        return name === "close" ? undefined : (member as (...args: unknown[]) => unknown).apply(handle, args);
      };
    },
  });
}

/** An error as the file system would give it. */
export function fileFault(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Makes one operation fail, or all from it on; and counts them. */
export class Fault {
  /** How many operations there were. */
  count = 0;
  /** What failed. */
  readonly failed: string[] = [];
  readonly #code: string;
  readonly #fails: (count: number) => boolean;

  private constructor(code: string, fails: (count: number) => boolean) {
    this.#code = code;
    this.#fails = fails;
  }

  /** The n-th operation fails, counted from 1. */
  static once(n: number, code = "EIO"): Fault {
    return new Fault(code, (count) => count === n);
  }

  /** The n-th operation and all after it fail. */
  static from(n: number, code = "EIO"): Fault {
    return new Fault(code, (count) => count >= n);
  }

  readonly watch: Watch = (operation) => {
    this.count += 1;
    if (!this.#fails(this.count)) return;
    this.failed.push(operation);
    throw fileFault(this.#code);
  };
}
