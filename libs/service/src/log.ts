import { type DestinationStream, type Logger, pino } from "pino";
import type { Config, ProcessName } from "./settings.ts";

export type Log = Logger;

/** JSON lines on standard output, each with the name of the process. */
export function createLog(process: ProcessName, { logLevel }: Config, destination?: DestinationStream): Log {
  const options = {
    level: logLevel,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
