import { randomBytes } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { StorageError } from "@graviton/ports/storage-error";
import { readBody } from "./body.ts";
import type { S3Bucket } from "./bucket.ts";
import { isConnectionBroken, isPreconditionFailed, refusesCondition } from "./errors.ts";

/** Bytes of an id at most. */
const idBytesMax = 100;

/**
 * A random text that tells one storage of blocks from all others, whatever they are called. It stands in an object among
 * the blocks, which the first who asks makes. Where S3 heeds no conditions, of several who are first at once each may hear
 * its own, and all the last one when they ask again.
 */
export async function storageId(bucket: S3Bucket, signal?: AbortSignal): Promise<string> {
  const found = await read(bucket, signal);
  if (found !== undefined) return found;
  if (!(await write(bucket, true, signal))) await write(bucket, false, signal);
  const written = await read(bucket, signal);
  if (written !== undefined) return written;
  throw new StorageError("CONFLICT", "S3 has lost the id of its blocks: ask again", { resource: "S3" });
}

async function read(bucket: S3Bucket, signal: AbortSignal | undefined): Promise<string | undefined> {
  const body = await bucket.body({ Key: keyIn(bucket) }, signal);
  return body && Buffer.from(await readBody(body, idBytesMax, signal)).toString("latin1");
}

/** False where S3 does not take the condition that there is none. */
async function write(bucket: S3Bucket, ifAbsent: boolean, signal: AbortSignal | undefined): Promise<boolean> {
  const input = { Bucket: bucket.name, Key: keyIn(bucket), Body: Buffer.from(randomBytes(16).toString("hex")) };
  const answer = await bucket.answerInTheEnd(
    () => new PutObjectCommand({ ...input, ...(ifAbsent && { IfNoneMatch: "*" }) }),
    signal,
    (error) => {
      if (isPreconditionFailed(error)) return "there";
      return ifAbsent && (refusesCondition(error) || isConnectionBroken(error)) ? "refused" : undefined;
    },
  );
  return answer !== "refused";
}

/** Blocks have the name of an algorithm where this has its own. */
function keyIn({ prefix }: S3Bucket): string {
  return `${prefix}blocks/id`;
}
