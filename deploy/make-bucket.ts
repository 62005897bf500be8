/**
 * Makes the bucket that GRAVITON_S3_BUCKET names, once the store answers. One that is there already is left as it is.
 *
 * Meant for the stores that docker-compose.yml starts. Elsewhere a bucket is made with the tools of its provider.
 */
import { createRequire } from "node:module";

// The S3 client is a dependency of the S3 adapters alone, so that it is found from where they are.
const { CreateBucketCommand, HeadBucketCommand, S3Client } = createRequire(
  new URL("../libs/adapters/s3/package.json", import.meta.url),
)("@aws-sdk/client-s3");

const bucket = setting("GRAVITON_S3_BUCKET");
const client = new S3Client({
  endpoint: setting("GRAVITON_S3_ENDPOINT"),
  region: process.env.GRAVITON_S3_REGION ?? "us-east-1",
  forcePathStyle: true,
  credentials: {
    accessKeyId: setting("GRAVITON_S3_ACCESS_KEY_ID"),
    secretAccessKey: setting("GRAVITON_S3_SECRET_ACCESS_KEY"),
  },
  // Some stores close connections while they start.
  maxAttempts: 10,
});

const taken = ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"];
try {
  // Asked first, since a user who may not make buckets can use one that is there.
  if (await isThere()) {
    console.log(`bucket ${bucket} is there`);
  } else {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    console.log(`made bucket ${bucket}`);
  }
} catch (error) {
  const { name, message } = error as Error;
  if (!taken.includes(name)) {
    console.error(`cannot make bucket ${bucket}: ${name}: ${message}`);
    process.exit(1);
  }
  console.log(`bucket ${bucket} is there`);
}

async function isThere(): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
    return true;
  } catch (error) {
    // An answer to HEAD says no more than its status: what making it is answered tells why.
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === undefined) throw error;
    return false;
  }
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
