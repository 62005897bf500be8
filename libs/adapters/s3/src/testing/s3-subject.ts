import { randomBytes } from "node:crypto";
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { Subject } from "@graviton/conformance/contract";
import { S3Bucket } from "../bucket.ts";
import { s3Capabilities } from "../capabilities.ts";
import { checkS3Config, type S3Config } from "../config.ts";
import { S3ObjectStore, type S3ObjectStoreOptions } from "../object-store.ts";
import type { TestS3 } from "./describe-s3.ts";
import { configOf } from "./s3-engine.ts";

/** How to make one of the stores of this package. */
export interface S3Parts<Port> {
  /** The name of the class. */
  readonly name: string;
  /** The store on a bucket, which it closes with itself. */
  open(bucket: S3Bucket, close: () => Promise<void>): Port;
  /** Damages what is stored under a name; absent where no store would notice. */
  damage?(client: S3Client, config: OwnConfig, name: string): Promise<void>;
}

/** A configuration with a prefix that nobody else uses. */
export type OwnConfig = S3Config & { readonly prefix: string };

/** A store of this package as something that a contract can be checked on, each harness with a prefix of its own. */
export function s3Subject<Port>(s3: () => TestS3, { name, open, damage }: S3Parts<Port>): Subject<Port> {
  return {
    name,
    capabilities: s3Capabilities,
    isolated: true,
    damageable: damage !== undefined,
    async start() {
      const config = ownPrefix(s3());
      return {
        async open() {
          const bucket = S3Bucket.open(config);
          return open(bucket, () => bucket[Symbol.asyncDispose]());
        },
        async damage(what) {
          await withClient(config, async (client) => damage?.(client, config, what));
        },
        [Symbol.asyncDispose]: () => withClient(config, (client) => removeAll(client, config, s3())),
      };
    },
  };
}

/** A prefix that nobody else uses. */
export function ownPrefix(s3: TestS3): OwnConfig {
  return { ...configOf(s3), prefix: `test-${randomBytes(8).toString("hex")}/` };
}

/** Objects on a bucket that the store closes with itself, in parts as small as S3 takes them. */
export function openObjects(config: S3Config, options: S3ObjectStoreOptions = {}): S3ObjectStore {
  const bucket = S3Bucket.open(config);
  const close = () => bucket[Symbol.asyncDispose]();
  return new S3ObjectStore(bucket, { partBytes: 5 * 1024 ** 2, close, ...options });
}

/**
 * The keys of the uploads in parts that are neither complete nor removed, in order.
 *
 * @param prefix the beginning of the keys; MinIO lists none unless it is the whole key
 */
export function uploadsOf(config: S3Config, prefix: string): Promise<string[]> {
  return withClient(config, async (client) => {
    const command = new ListMultipartUploadsCommand({ Bucket: config.bucket, Prefix: prefix });
    const { Uploads = [] } = await client.send(command);
    return Uploads.map(({ Key = "" }) => Key).sort();
  });
}

/** Runs something past the stores. */
export async function withClient<T>(config: S3Config, work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = new S3Client(checkS3Config(config).client);
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

/** Removes what was stored under the prefix, where that is in somebody else's S3: one of the tests' own takes it along. */
export async function removeAll(client: S3Client, { bucket, prefix }: OwnConfig, { own }: TestS3): Promise<void> {
  if (own) return;
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    if (Contents.length === 0) return;
    const objects = Contents.map(({ Key }) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } }));
  }
}

/** Flips the lowest bit of the first byte of the block with this key. */
export async function flipBlock(client: S3Client, { bucket, prefix }: OwnConfig, name: string): Promise<void> {
  const [, digest = "", size = ""] = name.split(":");
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  const key = Contents.map(({ Key = "" }) => Key).find((stored) => stored.endsWith(`${digest}-${size}`));
  if (key === undefined) throw new Error(`there is no block ${name} to damage`);
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array(1);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }));
}
