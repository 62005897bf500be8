import { abortError } from "@graviton/ports/call-options";
import {
  errorCode,
  isStorageError,
  type Reason,
  StorageError,
  type StorageErrorDetail,
} from "@graviton/ports/storage-error";
import { downRetryAfterMs, slowDownRetryAfterMs } from "./limits.ts";

/**
 * What an error of the driver, or of S3 behind it, means to the caller of a port. Absence has no meaning of its own
 * here: where it is an answer, the caller has looked at it before. Messages name neither the endpoint nor the bucket:
 * both may be secret, and both are in `cause`. An error that is no answer of S3 and none of the network is a bug and
 * comes back as it is.
 *
 * @param signal that the request had: once it has aborted, whatever was thrown is its doing
 */
export function s3Error(error: unknown, signal?: AbortSignal): unknown {
  if (isStorageError(error)) return error;
  if (signal?.aborted) return abortError(signal);
  if (!Error.isError(error)) return error;
  return fromName(error) ?? fromStatus(error) ?? fromNetwork(error) ?? error;
}

/**
 * What an error says of an object: `absent` when S3 says that there is none; `unclear` when something is not found and
 * the answer does not say what, as to any HEAD, and as of somebody before S3 who does not know the way to it. Undefined
 * when it says nothing of the kind.
 */
export function absence(error: unknown): "absent" | "unclear" | undefined {
  if (Error.isError(error) && error.name === "NoSuchKey") return "absent";
  return Error.isError(error) && error.name === "NotFound" ? "unclear" : undefined;
}

/** True for a condition of ours that did not hold: the object is there already, or is another by now. */
export function isPreconditionFailed(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** True for a write that met a concurrent one, and was not done: the same again may succeed. */
export function isWriteConflict(error: unknown): boolean {
  return Error.isError(error) && ["ConditionalRequestConflict", "OperationAborted"].includes(error.name);
}

/** True where S3 may have done what it was asked for, or be at it still: its answer came to nobody, or not past a proxy. */
export function isAnswerLost(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return [502, 504].includes(status);
  return networkCode(error) !== undefined || (Error.isError(error) && error.name === "TimeoutError");
}

/** How often the driver has sent a request that came to this answer, or error: all but the last answer are unknown. */
export function attemptsOf(outcome: unknown): number {
  return (outcome as { $metadata?: { attempts?: number } }).$metadata?.attempts ?? 1;
}

/** True for how S3s say, to a write on a condition, that they know none, or that a proxy before them drops it. */
export function refusesCondition(error: unknown): boolean {
  if (!Error.isError(error) || ![400, 403, 405, 501].includes(statusOf(error) ?? 0)) return false;
  return error.name === "SignatureDoesNotMatch" || !meanings.has(error.name);
}

/** True for a connection that broke while the request was on it. Some S3s break it with a refusal that no longer arrives. */
export function isConnectionBroken(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE"].includes(networkCode(error) ?? "");
}

/** True for an upload in parts that S3 does not know any more. */
export function isUploadGone(error: unknown): boolean {
  return Error.isError(error) && error.name === "NoSuchUpload";
}

/** True where S3 says that it cannot do now what it was asked for, and nothing of whether it did before. */
export function isServersFault(error: unknown): boolean {
  const status = statusOf(error) ?? 0;
  return status === 429 || status >= 500;
}

/** True for what the credentials do not allow. */
export function isForbidden(error: unknown): boolean {
  return statusOf(error) === 403;
}

/** True for a range that lies beyond the end of an object. */
export function isBeyondEnd(error: unknown): boolean {
  return statusOf(error) === 416;
}

/** The HTTP status of S3's answer; undefined when there was none. */
function statusOf(error: unknown): number | undefined {
  const metadata = (error as { $metadata?: { httpStatusCode?: unknown } } | undefined)?.$metadata;
  return typeof metadata?.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}

/** What an error means: the reason, the end of a sentence that begins with S3, and when to try again. */
type Meaning = readonly [reason: Reason, says: string, retryAfterMs?: number];

const refused: Meaning = [
  "UNAVAILABLE",
  "refuses the credentials: check them, and what they may do with the bucket",
  downRetryAfterMs,
];
const nobody: Meaning = ["UNAVAILABLE", "was not asked, for want of credentials: give some", downRetryAfterMs];
const skewed: Meaning = ["UNAVAILABLE", "finds the clock of this machine wrong: set it", downRetryAfterMs];
const elsewhere: Meaning = ["UNAVAILABLE", "has the bucket in another region: check the region", downRetryAfterMs];
const slowDown: Meaning = ["EXHAUSTED", "asks to slow down: try again", slowDownRetryAfterMs];
const full: Meaning = ["EXHAUSTED", "has no space left: free some, then try again", downRetryAfterMs];
const garbled: Meaning = ["UNAVAILABLE", "received other bytes than were sent: try again", slowDownRetryAfterMs];

const meanings: ReadonlyMap<string, Meaning> = new Map([
  ["NoSuchBucket", ["UNAVAILABLE", "does not have the bucket: create it, or check its name", downRetryAfterMs]],
  ["AccessDenied", refused],
  ["AllAccessDisabled", refused],
  ["AccountProblem", refused],
  ["InvalidAccessKeyId", refused],
  ["SignatureDoesNotMatch", refused],
  ["InvalidToken", refused],
  ["ExpiredToken", refused],
  ["CredentialsProviderError", nobody],
  ["XAdminUserNotFound", refused],
  ["RequestTimeTooSkewed", skewed],
  ["AuthorizationHeaderMalformed", elsewhere],
  ["PermanentRedirect", elsewhere],
  ["SlowDown", slowDown],
  ["SlowDownRead", slowDown],
  ["SlowDownWrite", slowDown],
  ["TooManyRequests", slowDown],
  ["ServiceUnavailable", slowDown],
  ["InsufficientStorage", full],
  ["QuotaExceeded", full],
  ["XMinioStorageFull", full],
  ["XMinioAdminBucketQuotaExceeded", full],
  ["BadDigest", garbled],
  ["IncompleteBody", garbled],
  ["XAmzContentSHA256Mismatch", garbled],
  ["XAmzContentChecksumMismatch", garbled],
  ["NoSuchKey", ["CONFLICT", "has lost an object that was there a moment ago: try again"]],
  ["NoSuchUpload", ["CONFLICT", "has lost the parts of an upload: put it again"]],
  ["EntityTooLarge", ["TOO_LARGE", "takes no object of this size"]],
  ["KeyTooLongError", ["INVALID_ARGUMENT", "takes no key of this length"]],
  ["OperationAborted", ["CONFLICT", "met a concurrent change: try again"]],
  ["ConditionalRequestConflict", ["CONFLICT", "met a concurrent change: try again"]],
  ["TimeoutError", ["UNAVAILABLE", "does not answer in time: check that it runs", downRetryAfterMs]],
]);

function fromName(error: Error): StorageError | undefined {
  const meaning = meanings.get(error.name);
  return meaning && meant(meaning, error);
}

function fromStatus(error: Error): StorageError | undefined {
  const status = statusOf(error);
  switch (status) {
    case undefined:
      return undefined;
    case 401:
    case 403:
      return meant(refused, error);
    case 301:
    case 307:
      return meant(elsewhere, error);
    case 409:
    case 412:
      return meant(["CONFLICT", "met a concurrent change: try again"], error);
    case 413:
      return meant(["TOO_LARGE", "takes no request of this size"], error);
    case 429:
    case 503:
      return meant(slowDown, error);
    case 507:
      return meant(full, error);
    default:
      return meant(["UNAVAILABLE", `answers with HTTP ${status}: see its log`, downRetryAfterMs], error);
  }
}

const networkCodes = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND"],
  ...["EAI_AGAIN", "EADDRNOTAVAIL", "EPROTO", "CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT"],
  ...["SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ...["ERR_STREAM_PREMATURE_CLOSE", "HPE_INVALID_CONSTANT"],
]);

function fromNetwork(error: Error): StorageError | undefined {
  const code = networkCode(error);
  if (code === undefined) return undefined;
  const says = `cannot be reached (${code}): check that it runs and that this process may connect to it`;
  return meant(["UNAVAILABLE", says, downRetryAfterMs], error);
}

/** Looks also where the driver and Node hide it: in causes, and in the several errors of a host with several addresses. */
function networkCode(error: unknown, depth = 0): string | undefined {
  if (!Error.isError(error) || depth > 4) return undefined;
  const code = errorCode(error);
  if (code !== undefined && networkCodes.has(code)) return code;
  const { errors } = error as { errors?: unknown };
  return [error.cause, ...(Array.isArray(errors) ? errors : [])]
    .map((inner) => networkCode(inner, depth + 1))
    .find((inner) => inner !== undefined);
}

function meant([reason, says, retryAfterMs]: Meaning, cause: Error): StorageError {
  const detail: StorageErrorDetail = { resource: "S3", cause };
  return new StorageError(reason, `S3 ${says}`, retryAfterMs === undefined ? detail : { ...detail, retryAfterMs });
}
