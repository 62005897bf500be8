import { errorCode, isStorageError, type Reason, type StorageError } from "@graviton/ports/storage-error";
import { exitCodeOf, exitError, exitUsage } from "./exit-codes.ts";
import { harmless } from "./printable.ts";

/** A failure of the command itself: of its line, or of what it found out. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** FAILED is what no reason of the ports fits. */
  readonly reason: Reason | "FAILED";
  readonly resource: string | undefined;

  constructor(reason: Reason | "FAILED", message: string, detail: { resource?: string; cause?: unknown } = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.reason = reason;
    this.resource = detail.resource;
  }
}

/** The error for options or arguments that do not go together. */
export function usageError(message: string): CommandError {
  return new CommandError("INVALID_ARGUMENT", message);
}

/** What a caller learns of an error: one line, and for machines the reason and what it concerns. */
export interface Failure {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly resource: string | undefined;
}

/** The failure that an error of any origin is. */
export function failureOf(error: unknown): Failure {
  if (isCommandError(error) || isStorageError(error)) {
    const { reason, message, resource } = error;
    return {
      exitCode: reason === "FAILED" ? exitError : exitCodeOf[reason],
      reason,
      message: oneLine(message),
      resource,
    };
  }
  const message = Error.isError(error) ? error.message : String(error);
  if (isCommanderError(error)) {
    const said = oneLine(message.replace(/^error: /, ""));
    return { exitCode: exitUsage, reason: "INVALID_ARGUMENT", message: said, resource: undefined };
  }
  return { exitCode: exitError, reason: "FAILED", message: oneLine(`unexpected: ${message}`), resource: undefined };
}

/**
 * True for an error that concerns one item alone, so that the others may still succeed. The rest, such as a server
 * that does not answer, would meet every item that follows.
 */
export function concernsOneItem(error: unknown): boolean {
  if (isCommandError(error)) return true;
  return isStorageError(error) && (oneItemReasons.has(error.reason) || concernsFile(error));
}

const oneItemReasons: ReadonlySet<Reason> = new Set<Reason>([
  ...(["NOT_FOUND", "INVALID_ARGUMENT", "HASH_MISMATCH", "TOO_LARGE", "OUT_OF_RANGE"] as const),
  ...(["MISSING_BLOCKS", "ALREADY_EXISTS", "CONFLICT", "CORRUPT"] as const),
]);

/** Behind the failure of a local file is the system's own error, whose code is text; those of calls are numbers. */
function concernsFile({ cause }: StorageError): boolean {
  return errorCode(cause) !== undefined;
}

function isCommandError(error: unknown): error is CommandError {
  return Error.isError(error) && error.name === "CommandError" && "reason" in error;
}

function isCommanderError(error: unknown): boolean {
  return Error.isError(error) && "code" in error && String(error.code).startsWith("commander.");
}

function oneLine(text: string): string {
  return harmless(text.trim().replaceAll(/\s*[\r\n]+\s*/g, " "));
}
