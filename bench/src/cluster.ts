import { randomFillSync } from "node:crypto";
import { Agent } from "node:http";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GravitonClient } from "@graviton/client/client";
import { type Cluster, startCluster } from "@graviton/cluster/cluster";
import type { Key } from "@graviton/ports/key";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { printTable, type Row } from "./table.ts";

const gibibyte = 1024 * 1024 * 1024;

/** The average block of the default chunker, as objects of their own. */
const pieceBytes = 512 * 1024;

/** Requests at once, as many as a gateway keeps in flight. */
const concurrency = 16;

/** Put and get of 1 GiB through gateway, block services and manifest services, beside the same bytes straight to the same S3. */
export async function benchCluster(): Promise<void> {
  const content = randomFillSync(Buffer.allocUnsafe(gibibyte));
  await using cluster = await startCluster();
  const s3 = straight(cluster);
  const one = { put: await timed(() => s3.put("one", content)), get: await timed(() => s3.get("one")) };
  const pieces = pieceNames(content.length);
  const many = {
    put: await timed(() => atOnce(pieces, (name, index) => s3.put(name, piece(content, index)))),
    get: await timed(() => atOnce(pieces, (name) => s3.get(name))),
  };
  await using client = new GravitonClient({ endpoint: cluster.gateways.map(({ address }) => address) });
  let key: Key | undefined;
  const fresh = await timed(async () => {
    key = (await client.put(content)).confirmed.key;
  });
  const known = await timed(() => client.put(content));
  const got = await timed(() => drain(client, key));
  const row = (name: string, bytesPerSecond: number, base: number): Row => ({
    name,
    bytesPerSecond,
    ratio: bytesPerSecond / base,
  });
  printTable(
    `1 GiB through a cluster of eight processes on one machine, as a share of PutObject and GetObject (${cluster.blockBackend})`,
    [
      row("PutObject, one object", one.put, one.put),
      row("PutObject, 512 KiB each, 16 at once", many.put, one.put),
      row("put, all blocks new", fresh, one.put),
      row("put, all blocks known", known, one.put),
      row("GetObject, one object", one.get, one.get),
      row("GetObject, 512 KiB each, 16 at once", many.get, one.get),
      row("get", got, one.get),
    ],
  );
}

/** The same SDK with the settings that the adapters use. */
function straight({ s3 }: Cluster) {
  if (s3 === undefined)
    throw new Error("no S3 is installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0");
  const { endpoint, bucket, accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, maxSockets: concurrency }) }),
  });
  return {
    async put(name: string, body: Uint8Array) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: `bench/${name}`, Body: body }));
    },
    async get(name: string) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `bench/${name}` }));
      let size = 0;
      for await (const bytes of Body as AsyncIterable<Uint8Array>) size += bytes.length;
      return size;
    },
  };
}

function pieceNames(size: number): string[] {
  return Array.from({ length: size / pieceBytes }, (_, index) => `piece-${index}`);
}

function piece(content: Buffer, index: number): Uint8Array {
  return content.subarray(index * pieceBytes, (index + 1) * pieceBytes);
}

async function atOnce(
  names: readonly string[],
  work: (name: string, index: number) => Promise<unknown>,
): Promise<void> {
  const left = names.entries();
  const worker = async () => {
    for (const [index, name] of left) await work(name, index);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function drain(client: GravitonClient, key: Key | undefined): Promise<void> {
  if (key === undefined) throw new Error("nothing was put");
  let size = 0;
  for await (const bytes of client.get(key)) size += bytes.length;
  if (size !== key.size) throw new Error(`got ${size} bytes of ${key.size}`);
}

/** Bytes a second. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return gibibyte / ((performance.now() - began) / 1000);
}
