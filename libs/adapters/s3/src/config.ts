import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { StorageError } from "@graviton/ports/storage-error";

import {
  attemptsMax,
  connectTimeoutMs,
  copyingMsMax,
  prefixBytesMax,
  requestsMaxDefault,
  requestsMaxLeast,
  silenceMsMax,
} from "./limits.ts";
import { RequestHandler } from "./request-handler.ts";

/** Where an S3 is and how to use it. */
export interface S3Config {
  /** `http://host:port`; AWS when absent. */
  readonly endpoint?: string | undefined;
  /** `us-east-1` when absent. */
  readonly region?: string | undefined;
  /** Holds everything; must exist. */
  readonly bucket: string;
  /** The beginning of every key, `graviton/` say. Stores of different prefixes see nothing of each other. */
  readonly prefix?: string | undefined;
  /** Whether the bucket stands in the path of a request, instead of in the host's name; so when there is an endpoint. */
  readonly pathStyle?: boolean | undefined;
  /** Without them the AWS SDK looks in its usual places: environment, profile, role of the machine. */
  readonly credentials?: S3Credentials | undefined;
  /** Requests in flight, and so connections; 64 when absent. */
  readonly requestsMax?: number | undefined;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A configuration that was checked, with its defaults. */
export interface CheckedS3Config {
  readonly bucket: string;
  readonly prefix: string;
  readonly requestsMax: number;
  readonly client: S3ClientConfig;
}

/** @throws StorageError INVALID_ARGUMENT for what no S3 could be reached with */
export function checkS3Config(config: S3Config): CheckedS3Config {
  const { endpoint, region = "us-east-1", credentials, requestsMax = requestsMaxDefault } = config;
  if (!Number.isSafeInteger(requestsMax) || requestsMax < requestsMaxLeast) {
    throw invalid(`requestsMax ${requestsMax} must be a whole number, ${requestsMaxLeast} or more`);
  }
  const pool = { keepAlive: true, maxSockets: requestsMax };
  const times = { connectionTimeout: connectTimeoutMs, socketTimeout: silenceMsMax, copyingTimeout: copyingMsMax };
  return {
    bucket: checkBucket(config.bucket),
    prefix: checkPrefix(config.prefix ?? ""),
    requestsMax,
    client: {
      region,
      forcePathStyle: config.pathStyle ?? endpoint !== undefined,
      maxAttempts: attemptsMax,
      // The SDK's defaults are headers that several S3s refuse.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      // Whether a large body is wanted would cost a round trip each.
      expectContinueHeader: false,
      requestHandler: new RequestHandler({ ...times, pool }),
      ...(endpoint === undefined ? {} : { endpoint: checkEndpoint(endpoint) }),
      ...(credentials === undefined ? {} : { credentials }),
    },
  };
}

function checkEndpoint(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw invalid("the endpoint of S3 must be a URL, http://host:port or https://host:port");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw invalid("the endpoint of S3 must be no more than http://host:port: credentials are given apart");
  }
  return endpoint;
}

function checkBucket(bucket: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$/.test(bucket)) return bucket;
  throw invalid("the bucket of S3 must be 3 to 255 letters, digits, hyphens and dots");
}

function checkPrefix(prefix: string): string {
  const segments = prefix.split("/").slice(0, -1);
  const leadsElsewhere = segments.some((segment) => ["", ".", ".."].includes(segment));
  if (/^[a-zA-Z0-9._/-]*$/.test(prefix) && !leadsElsewhere && prefix.length <= prefixBytesMax) return prefix;
  throw invalid(
    `prefix ${JSON.stringify(prefix.slice(0, 100))} must be at most prefixBytesMax, ${prefixBytesMax}, ` +
      'letters, digits, dots, hyphens, underscores and slashes, with no segment empty, "." or ".."',
  );
}

function invalid(message: string): StorageError {
  return new StorageError("INVALID_ARGUMENT", message, { resource: "S3" });
}
