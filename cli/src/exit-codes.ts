import type { Reason } from "@graviton/ports/storage-error";

/** What the process answers its caller when nothing failed. */
export const exitOk = 0;

/** What it answers for a failure without a reason of its own. */
export const exitError = 1;

/** What it answers for a command line that it does not understand. */
export const exitUsage = 2;

/** What it answers when SIGINT or SIGTERM ended it: 128 and the signal's number, as shells count. */
export const exitOfSignal = { SIGINT: 130, SIGTERM: 143 } as const;

/** What it answers when who read its output went away, as a process that SIGPIPE ends does. */
export const exitReaderGone = 141;

/** What it answers for each reason. A new reason does not compile until it is mapped. */
export const exitCodeOf = {
  NOT_FOUND: 3,
  INVALID_ARGUMENT: exitUsage,
  HASH_MISMATCH: 4,
  TOO_LARGE: exitError,
  OUT_OF_RANGE: exitUsage,
  MISSING_BLOCKS: exitError,
  ALREADY_EXISTS: exitError,
  CONFLICT: exitError,
  CORRUPT: 4,
  EXHAUSTED: 7,
  UNAVAILABLE: 5,
  UNSUPPORTED: exitError,
  UNAUTHENTICATED: 6,
  PERMISSION_DENIED: 6,
  CANCELLED: exitError,
  DEADLINE_EXCEEDED: 5,
} as const satisfies Record<Reason, number>;

/** The same, as `--help` shows it. */
export const exitCodesHelp = `Exit codes:
  0 done   1 error   2 usage   3 not found   4 integrity: bytes are not what their key says
  5 unavailable or out of time   6 not allowed   7 exhausted: disk full, or too busy   130 interrupted`;
