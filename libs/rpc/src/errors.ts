import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { isStorageError, type Reason, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "@graviton/proto/google/rpc/error_details_pb";

/** The domain of every `google.rpc.ErrorInfo` of Graviton. */
export const errorDomain = "graviton";

/** The gRPC code of each reason. A new reason does not compile until it is mapped. */
export const codeOfReason = {
  NOT_FOUND: Code.NotFound,
  INVALID_ARGUMENT: Code.InvalidArgument,
  HASH_MISMATCH: Code.InvalidArgument,
  TOO_LARGE: Code.InvalidArgument,
  OUT_OF_RANGE: Code.OutOfRange,
  MISSING_BLOCKS: Code.FailedPrecondition,
  ALREADY_EXISTS: Code.AlreadyExists,
  CONFLICT: Code.Aborted,
  CORRUPT: Code.DataLoss,
  EXHAUSTED: Code.ResourceExhausted,
  UNAVAILABLE: Code.Unavailable,
  UNSUPPORTED: Code.Unimplemented,
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  CANCELLED: Code.Canceled,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
} as const satisfies Record<Reason, Code>;

/**
 * Missing blocks that one error lists: its trailers must fit the 8 KiB that the strictest of gRPC's stacks accepts.
 * The number of all is in the error's message.
 */
export const missingOnWireMax = 40;

/** The longest message and the longest resource that cross the wire, in characters, for the same reason. */
const textOnWireMax = 1200;

const missingBlockType = "BLOCK_MISSING";

/**
 * The error as the wire carries it: code, message and `google.rpc` details, never the cause. Whatever is not a
 * {@link StorageError} is a fault of the server, of which the client learns only that it happened.
 */
export function toWire(error: unknown): ConnectError {
  if (!isStorageError(error)) return new ConnectError("internal error", Code.Internal);
  return new ConnectError(onWire(error.message), codeOfReason[error.reason], undefined, detailsOf(error));
}

type OutgoingDetails = ConstructorParameters<typeof ConnectError>[3];

function detailsOf(error: StorageError): NonNullable<OutgoingDetails> {
  const { reason, resource, retryAfterMs, missing } = error;
  const metadata: Record<string, string> = resource === undefined ? {} : { resource: onWire(resource) };
  const details: NonNullable<OutgoingDetails> = [
    { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain: errorDomain, metadata }) },
  ];
  if (retryAfterMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: durationOf(retryAfterMs) } });
  }
  if (missing !== undefined) {
    const violations = missing
      .slice(0, missingOnWireMax)
      .map((subject) => ({ type: missingBlockType, subject: onWire(subject) }));
    details.push({ desc: PreconditionFailureSchema, value: { violations } });
  }
  if (codeOfReason[reason] === Code.InvalidArgument) {
    const fieldViolations = [{ field: onWire(resource ?? ""), description: onWire(error.message) }];
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  return details;
}

/**
 * The error that came over the wire. Without Graviton's details, or with a reason that is not known here, the code
 * decides. A server that failed for no reason that it may tell is UNAVAILABLE without a time to retry after: the call
 * itself was in order, and trying it again at once would only fail again.
 *
 * @param error a ConnectError; a StorageError is given back as it is
 * @param address names the server in the errors that came from no server at all
 */
export function fromWire(error: unknown, address = "the server"): StorageError {
  if (isStorageError(error)) return error;
  if (!isConnectError(error)) return unexplained(error, address);
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === errorDomain);
  if (info === undefined) return fromCode(error, address);
  const reason = isReason(info.reason) ? info.reason : reasonOfCode(error.code);
  if (reason === undefined) return unexplained(error, address);
  return new StorageError(reason, error.rawMessage, { ...wireDetail(error, info.metadata.resource), cause: error });
}

function wireDetail(error: ConnectError, resource: string | undefined): StorageErrorDetail {
  const [retry] = error.findDetails(RetryInfoSchema);
  const [failure] = error.findDetails(PreconditionFailureSchema);
  const missing = failure?.violations.filter(({ type }) => type === missingBlockType).map(({ subject }) => subject);
  return {
    ...(resource === undefined ? {} : { resource }),
    ...(retry?.retryDelay === undefined ? {} : { retryAfterMs: msOf(retry.retryDelay) }),
    ...(missing === undefined ? {} : { missing }),
  };
}

function fromCode(error: ConnectError, address: string): StorageError {
  const cause = error;
  switch (error.code) {
    case Code.Unavailable:
      return new StorageError(
        "UNAVAILABLE",
        `no answer from ${address}: check that the service runs there and can be reached`,
        { resource: address, cause },
      );
    case Code.DeadlineExceeded:
      return new StorageError("DEADLINE_EXCEEDED", "the deadline passed", { resource: address, cause });
    case Code.Canceled:
      return new StorageError("CANCELLED", "the call was cancelled", { resource: address, cause });
    default: {
      const reason = reasonOfCode(error.code);
      if (reason === undefined) return unexplained(error, address);
      return new StorageError(reason, error.rawMessage, { resource: address, cause });
    }
  }
}

function unexplained(cause: unknown, address: string): StorageError {
  return new StorageError("UNAVAILABLE", `internal error of ${address}: its log says more`, {
    resource: address,
    cause,
  });
}

/** The first reason that the table maps to the code. */
function reasonOfCode(code: Code): Reason | undefined {
  return (Object.keys(codeOfReason) as Reason[]).find((reason) => codeOfReason[reason] === code);
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(codeOfReason, text);
}

/** True for an error of Connect, told by its name: two realms have two classes. */
export function isConnectError(error: unknown): error is ConnectError {
  return Error.isError(error) && error.name === "ConnectError" && "rawMessage" in error;
}

function onWire(text: string): string {
  const short = text.length <= textOnWireMax ? text : `${text.slice(0, textOnWireMax)}…`;
  return short.toWellFormed();
}

function durationOf(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

function msOf(duration: { seconds: bigint; nanos: number }): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
