import { readFileSync } from "node:fs";
import { gearTable } from "./fastcdc-parameters.ts";

/** What is used of the global, whose types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** What `assembly/fastcdc.ts` exports. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly windowStart: { readonly value: number };
  readonly windowBytes: { readonly value: number };
  readonly hash: { readonly value: bigint };
  scan(from: number, to: number, start: bigint, mask: bigint): number;
}

/**
 * The WebAssembly half of FastCDC: a window of bytes, and a gear hash that is rolled over it. All chunkers of a
 * process share one, in turns: a memory for each would reserve gigabytes of address space.
 */
export class FastCdcKernel {
  readonly #exports: Exports;
  readonly #window: Uint8Array;
  #holder: object | undefined;
  #seed: bigint | undefined;

  constructor() {
    const module = new WebAssembly.Module(readFileSync(new URL("./fastcdc.wasm", import.meta.url)));
    this.#exports = new WebAssembly.Instance(module).exports as Exports;
    const { memory, windowStart, windowBytes } = this.#exports;
    this.#window = new Uint8Array(memory.buffer, windowStart.value, windowBytes.value);
  }

  /** True while nobody else has filled the window since the holder did. */
  isHeldBy(holder: object): boolean {
    return this.#holder === holder;
  }

  /** Takes the window for the holder and fills it from the start. Gives how many of the bytes found room. */
  fill(holder: object, seed: bigint, bytes: Uint8Array): number {
    this.#holder = holder;
    if (seed !== this.#seed) this.#setSeed(seed);
    const count = Math.min(bytes.length, this.#window.length);
    this.#window.set(count < bytes.length ? bytes.subarray(0, count) : bytes);
    return count;
  }

  /** The first place in the window, from one index up to another, where the hash meets the mask, or -1. */
  scan(from: number, to: number, start: bigint, mask: bigint): number {
    return this.#exports.scan(from, to, start, mask);
  }

  /** The hash after a scan that met nothing. */
  get hash(): bigint {
    return this.#exports.hash.value;
  }

  #setSeed(seed: bigint): void {
    const memory = new DataView(this.#exports.memory.buffer);
    gearTable(seed).forEach((entry, byte) => {
      memory.setBigUint64(8 * byte, entry, true);
      memory.setBigUint64(8 * (256 + byte), entry << 1n, true);
    });
    this.#seed = seed;
  }
}
