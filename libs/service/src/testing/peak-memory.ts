import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/** Something that has a process of its own. */
export interface HasPid {
  readonly pid: number;
}

/** The most memory that a process ever had resident, in bytes; NaN where the system does not tell. Linux does. */
export async function peakResidentBytes({ pid }: HasPid): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Those of several once none has grown for two seconds: all that can be taken in has been. */
export async function settledPeaks(processes: readonly HasPid[]): Promise<number[]> {
  let peaks = await Promise.all(processes.map(peakResidentBytes));
  for (let still = 0; still < 10; still += 1) {
    await setTimeout(200);
    const now = await Promise.all(processes.map(peakResidentBytes));
    if (now.some((bytes, at) => bytes > (peaks[at] ?? 0))) still = 0;
    peaks = now;
  }
  return peaks;
}
