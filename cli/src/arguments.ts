import type { ByteRange } from "@graviton/ports/byte-range";
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseSize } from "./sizes.ts";

/** Reads a size, `65536` or `512KiB`, in bytes. For commander, which names the option in its error. */
export function sizeArgument(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new InvalidArgumentError("Expected a size: 65536, 512KiB, 1MiB.");
  return bytes;
}

/** Reads a whole number of 0 or more. */
export function numberArgument(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError("Expected a whole number, 0 or more.");
}

/** Reads a whole number of 1 or more. */
export function limitArgument(text: string): number {
  if (/^0*[1-9]\d*$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError("Expected a whole number, 1 or more.");
}

/** Reads a whole number of any length. */
export function bigintArgument(text: string): bigint {
  if (/^\d+$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("Expected a whole number, 0 or more.");
}

/** Reads a time in seconds, more than 0. */
export function secondsArgument(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds > 0 && seconds <= 31_536_000) return seconds;
  throw new InvalidArgumentError("Expected seconds, more than 0.");
}

/** Reads a TCP port; 0 stands for any that is free. */
export function portArgument(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("Expected a port, 0 to 65535.");
}

/** What `--offset` and `--length` say. */
export interface RangeOptions {
  readonly offset?: number;
  readonly length?: number;
}

/** Gives a command the options of a range. */
export function withRange(command: Command): Command {
  return command
    .addOption(new Option("--offset <size>", "first byte wanted").argParser(sizeArgument))
    .addOption(new Option("--length <size>", "how many bytes at most").argParser(sizeArgument));
}

/** The range that the options ask for. */
export function rangeOf({ offset, length }: RangeOptions): ByteRange {
  return { offset: offset ?? 0, length };
}

/** What `--after` and `--limit` say. */
export interface PageOptions {
  readonly after?: string;
  readonly limit?: number;
}

/** Gives a listing the options of a page. */
export function withPage(command: Command, names: string): Command {
  return command
    .option("--after <name>", `only what comes after this one in the order of ${names}`)
    .addOption(new Option("--limit <number>", "how many at most").argParser(limitArgument));
}
