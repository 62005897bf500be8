import { setFlagsFromString } from "node:v8";

/**
 * Sets V8's garbage collection for a process that moves bytes.
 *
 * The memory of buffers is weighed together with the heap. By itself V8 collects everything anew after each 64 MiB of
 * buffers, which such a process fills many times a second: a third of its time.
 *
 * The young generation stays as small as it starts. By itself it grows to some 100 MiB in a process that makes many
 * objects, none of which lives long, and is not given back.
 */
export function tuneGarbageCollection(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * What a service is to be started with besides, since it cannot be set later: the MiB of heap and buffers that may
 * come together before V8 looks for what is old. By itself it begins with much less and looks far more often, without a
 * lower peak.
 */
export const nodeOptions: readonly string[] = ["--initial-old-space-size=128"];
