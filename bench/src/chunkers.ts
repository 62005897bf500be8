import { randomFillSync } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createChunker } from "@graviton/cas/chunkers/chunker";
import { FastCdcBoundaries } from "@graviton/cas/chunkers/fastcdc";
import { fastCdcReference } from "@graviton/cas/chunkers/fastcdc-reference";
import { createHasher } from "@graviton/cas/hasher";
import type { HashAlgorithm } from "@graviton/ports/key";
import { type ChunkerPlan, type ResolvedChunkerPlan, resolveChunkerPlan } from "@graviton/ports/plan";
import { printTable, type Row } from "./table.ts";

const mebibyte = 1024 * 1024;
const frameBytes = mebibyte;
const contentBytesMax = 256 * mebibyte;
/** The reference is slow: it gets the beginning only. */
const referenceBytes = 32 * mebibyte;
const rounds = 3;
const fastCdc = resolveChunkerPlan({ kind: "fastcdc" }) as Extract<ResolvedChunkerPlan, { kind: "fastcdc" }>;

/** Every chunker and hasher on noise and on files, as a share of copying the same bytes. The best of three rounds each. */
export async function benchChunkers(): Promise<void> {
  benchOn("noise", noise());
  const files = await filesBelow(join(import.meta.dirname, "../../node_modules/.store"));
  if (files.length > 0) benchOn("the files of node_modules", files);
}

function benchOn(name: string, content: Buffer): void {
  const { copy, ...tasks } = tasksOn(content);
  const copied = best(copy);
  const row = ([task, run]: [string, Task]): Row => {
    const bytesPerSecond = best(run);
    return { name: task, bytesPerSecond, ratio: bytesPerSecond / copied };
  };
  printTable(`${Math.round(content.length / mebibyte)} MiB of ${name} in frames of 1 MiB, as a share of copying them`, [
    { name: "copy", bytesPerSecond: copied, ratio: 1 },
    ...Object.entries(tasks).map(row),
  ]);
}

/** Does its work on the bytes and gives how many they were. */
type Task = () => number;

function tasksOn(content: Buffer) {
  return {
    copy: () => copy(content),
    "fastcdc, 512 KiB on average": () => chunk({ kind: "fastcdc" }, content),
    "fastcdc, 64 KiB on average": () => chunk({ kind: "fastcdc", averageBytes: 64 * 1024 }, content),
    "fastcdc, 512 KiB, where blocks end": () => findEnds(content),
    "fastcdc, 512 KiB, scalar reference": () => reference(content.subarray(0, referenceBytes)),
    "fixed, 1 MiB": () => chunk({ kind: "fixed" }, content),
    "delimiter, newline": () => chunk({ kind: "delimiter" }, content),
    blake3: () => hash("blake3", content),
    sha256: () => hash("sha256", content),
  };
}

function copy(content: Buffer): number {
  const target = Buffer.allocUnsafe(frameBytes);
  for (const frame of frames(content)) target.set(frame);
  return content.length;
}

function chunk(plan: ChunkerPlan, content: Buffer): number {
  const chunker = createChunker(resolveChunkerPlan(plan));
  let bytes = 0;
  for (const frame of frames(content)) for (const block of chunker.push(frame)) bytes += block.length;
  for (const block of chunker.finish()) bytes += block.length;
  return bytes;
}

/** Without the blocks themselves, whose fresh memory costs half as much again. */
function findEnds(content: Buffer): number {
  const boundaries = new FastCdcBoundaries(fastCdc);
  let start = 0;
  for (const frame of frames(content)) {
    for (const end of boundaries.ends(frame, start)) start = end;
    start -= frame.length;
  }
  return content.length;
}

function reference(content: Buffer): number {
  return fastCdcReference(fastCdc, content).reduce((sum, length) => sum + length, 0);
}

function hash(algorithm: HashAlgorithm, content: Buffer): number {
  const hasher = createHasher(algorithm);
  for (const frame of frames(content)) hasher.update(frame);
  hasher.digest();
  return content.length;
}

/** Bytes a second in the best of some rounds: what is slower tells of other work on the machine. */
function best(task: Task): number {
  const speeds = Array.from({ length: rounds }, () => {
    const start = performance.now();
    return task() / ((performance.now() - start) / 1000);
  });
  return Math.max(...speeds);
}

function* frames(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += frameBytes) yield content.subarray(at, at + frameBytes);
}

function noise(): Buffer {
  return randomFillSync(Buffer.allocUnsafe(contentBytesMax));
}

/** The files below a folder, one after the other, up to the most that is measured; empty when there is no such folder. */
async function filesBelow(folder: string): Promise<Buffer> {
  const content = Buffer.alloc(contentBytesMax);
  let length = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (length === content.length) break;
    if (entry.isFile()) length += (await readFile(join(entry.parentPath, entry.name))).copy(content, length);
  }
  return content.subarray(0, length);
}
