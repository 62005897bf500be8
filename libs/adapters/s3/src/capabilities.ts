import type { Capabilities } from "@graviton/ports/capabilities";

/** S3 answers a write once it is durable, and any number of processes share a bucket. */
export const s3Capabilities: Capabilities = { durable: true, exclusive: false };
