import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Key } from "@graviton/ports/key";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { connect } from "@graviton/rpc/channel";
import { peakResidentBytes } from "@graviton/service/testing/peak-memory";
import { Child } from "./child.ts";
import { printTable, type Row } from "./table.ts";

const frameBytes = 1024 * 1024;
const gibibyte = 1024 * frameBytes;

/** Put and get of 1 GiB from a second process, beside the same bytes over bare node:http2, which stores nothing. */
export async function benchEmbedded(): Promise<void> {
  const content = randomFillSync(Buffer.allocUnsafe(gibibyte));
  const { upload, download } = await benchRaw(content);
  const disk = await benchDisk(content);
  await using server = await startServer();
  await using blobs = new RemoteBlobStore(connect(server.endpoint));
  let key: Key | undefined;
  const put = await timed(async () => {
    key = (await blobs.put({}, frames(content))).confirmed.key;
  });
  const again = await timed(() => blobs.put({}, frames(content)));
  const get = await timed(() => drain(blobs, key));
  const rows: Row[] = [
    row("node:http2 upload, nothing stored", upload, upload),
    row("files of 512 KiB with fsync, no network", disk, upload),
    row("put, all blocks new", put, upload),
    row("put, all blocks known", again, upload),
    row("node:http2 download, nothing read", download, download),
    row("get", get, download),
  ];
  printTable("1 GiB between two processes, as a share of bare node:http2", rows);
}

/** The most memory that the server has resident while 4 GiB go in and come out. */
export async function benchMemory(): Promise<void> {
  await using server = await startServer();
  await using blobs = new RemoteBlobStore(connect(server.endpoint));
  const { confirmed } = await blobs.put({}, randomFrames(4 * gibibyte));
  const afterPut = await peakResidentBytes(server.child);
  await drain(blobs, confirmed.key);
  const afterGet = await peakResidentBytes(server.child);
  console.log("\nPeak resident memory of the server, 4 GiB through it");
  console.log(`  put  ${mebibytes(afterPut)}\n  get  ${mebibytes(afterGet)}`);
}

interface RunningServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly child: Child;
}

async function startServer(): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), "graviton-bench-"));
  const script = join(import.meta.dirname, "../../cli/src/main.ts");
  const args = ["serve", "--data", folder, "--grpc-port", "0", "--http-port", "0"];
  const { child, match } = await Child.start(script, args, /gRPC\s+(http:\S+)/);
  const stop = async () => {
    await child[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  return { endpoint: match[1] ?? "", child, [Symbol.asyncDispose]: stop };
}

async function drain(blobs: RemoteBlobStore, key: Key | undefined): Promise<void> {
  if (key === undefined) throw new Error("nothing was put");
  let size = 0;
  for await (const bytes of blobs.get(key)) size += bytes.length;
  if (size !== key.size) throw new Error(`got ${size} bytes of ${key.size}`);
}

async function benchRaw(content: Buffer): Promise<{ upload: number; download: number }> {
  await using raw = await startRaw();
  return {
    upload: await timed(() => rawUpload(raw.session, content)),
    download: await timed(() => rawDownload(raw.session, content.length)),
  };
}

/** What the disk takes when every file is durable before the next one begins. */
async function benchDisk(content: Buffer): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "graviton-bench-"));
  const fileBytes = frameBytes / 2;
  const speed = await timed(async () => {
    for (let start = 0; start < content.length; start += fileBytes) {
      await writeFile(join(folder, String(start)), content.subarray(start, start + fileBytes), { flush: true });
    }
  });
  await rm(folder, { recursive: true });
  return speed;
}

async function rawUpload(session: ClientHttp2Session, content: Buffer): Promise<void> {
  const request = session.request({ ":method": "POST", ":path": "/" });
  for await (const frame of frames(content)) {
    if (!request.write(frame)) await once(request, "drain");
  }
  request.end();
  request.resume();
  await once(request, "end");
}

async function rawDownload(session: ClientHttp2Session, size: number): Promise<void> {
  const request = session.request({ ":method": "GET", ":path": "/", "x-bytes": String(size) });
  let received = 0;
  request.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  await once(request, "end");
  if (received !== size) throw new Error(`got ${received} bytes of ${size}`);
}

async function startRaw(): Promise<{ session: ClientHttp2Session } & AsyncDisposable> {
  const { child, match } = await Child.start(join(import.meta.dirname, "raw-http2-server.ts"), [], /^(\d+)$/);
  const session = connectHttp2(`http://127.0.0.1:${match[1]}`, {
    settings: { initialWindowSize: 4 * frameBytes, maxFrameSize: frameBytes },
  });
  await once(session, "connect");
  session.setLocalWindowSize(8 * frameBytes);
  const stop = async () => {
    session.destroy();
    await child[Symbol.asyncDispose]();
  };
  return { session, [Symbol.asyncDispose]: stop };
}

async function* frames(content: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let start = 0; start < content.length; start += frameBytes) yield content.subarray(start, start + frameBytes);
}

async function* randomFrames(size: number): AsyncGenerator<Buffer, void, void> {
  for (let sent = 0; sent < size; sent += frameBytes) yield randomFillSync(Buffer.allocUnsafe(frameBytes));
}

/** Bytes a second for 1 GiB. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return gibibyte / ((performance.now() - start) / 1000);
}

function row(name: string, bytesPerSecond: number, base: number): Row {
  return { name, bytesPerSecond, ratio: bytesPerSecond / base };
}

function mebibytes(bytes: number): string {
  return Number.isNaN(bytes) ? "not told by this system" : `${Math.round(bytes / 1024 / 1024)} MiB`;
}
