import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { Agent, get as httpGet, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { LimitedBlobStore } from "@graviton/decorators/limited-blob-store";
import { Places } from "@graviton/decorators/places";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import { type Key, parseKey } from "@graviton/ports/key";
import { isServerFault } from "@graviton/ports/storage-error";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { HashAlgorithm } from "@graviton/proto/graviton/core/v1/core_pb";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import type { CallObserver } from "@graviton/rpc/call-observer";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type HttpServer, httpFaceServer } from "./http-server.ts";

/** What a server logs, and no client sees. */
const unseen: unknown[] = [];
const driver = new MemoryBlockDriver();
const manifests = new InMemoryManifestStore();
const blobs = new CasBlobStore({ blocks: new CasBlockStore("InMemoryBlockStore", driver), manifests });
const places = new Places({ callsMax: 32, waitMs: 0 });
let server: HttpServer;
let origin: string;

beforeAll(async () => {
  server = await httpFaceServer({
    routes: [blobRoutes(blobs)],
    blobs: new LimitedBlobStore(blobs, places),
    host: "127.0.0.1",
    port: 0,
    welcome: { version: "0.0.0-test", storage: "memory", grpcEndpoint: "http://127.0.0.1:7480" },
    onError: (error) => void (isServerFault(error) && unseen.push(error)),
    observer,
  });
  origin = `http://127.0.0.1:${server.port}`;
});

afterAll(async () => server[Symbol.asyncDispose]());

describe("PUT /v1/blobs", () => {
  test("answers 201 with the key for new bytes, and 200 for the same again", async () => {
    const first = await put("stored twice");
    expect(first.status).toBe(201);
    const { key, size, blocks, freshBlocks } = await json(first);
    expect({ size, blocks, freshBlocks }).toEqual({ size: 12, blocks: 1, freshBlocks: 1 });
    expect(first.headers.get("location")).toBe(`/v1/blobs/${key}`);
    const second = await put("stored twice");
    expect(second.status).toBe(200);
    expect(await json(second)).toMatchObject({ key, freshBlocks: 0, duplicateBlocks: 1 });
  });

  test("stores the empty blob", async () => {
    const { key, blocks } = await json(await put(""));
    expect(blocks).toBe(0);
    const response = await fetch(`${origin}/v1/blobs/${key}`);
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test("names the blob by sha256 when asked to", async () => {
    const response = await fetch(`${origin}/v1/blobs?hash=sha256`, { method: "PUT", body: "named by sha256" });
    const digest = createHash("sha256").update("named by sha256").digest("hex");
    expect(await json(response)).toMatchObject({ key: `sha256:${digest}:15` });
  });

  test("with another key than the bytes have is HASH_MISMATCH, and stores nothing", async () => {
    const key = sha256Key("what was announced");
    const response = await fetch(`${origin}/v1/blobs/${key}`, { method: "PUT", body: "what was sent, no more" });
    await expectProblem(response, 422, "HASH_MISMATCH");
    expect((await fetch(`${origin}/v1/blobs/${key}`)).status).toBe(404);
    expect((await fetch(`${origin}/v1/blobs/${sha256Key("what was sent, no more")}`)).status).toBe(404);
  });

  test("of an upload that is cut off stores nothing", async () => {
    const body = "only the first half of this";
    const key = sha256Key(body);
    await new Promise<void>((resolve, reject) => {
      const socket = connect(server.port, "127.0.0.1", () => {
        socket.write(
          `PUT /v1/blobs/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
        );
        setImmediate(() => socket.destroy());
      });
      socket.on("close", () => resolve());
      socket.on("error", reject);
    });
    expect((await fetch(`${origin}/v1/blobs/${key}`)).status).toBe(404);
  });
});

describe("GET /v1/blobs/{key}", () => {
  test("gives the bytes, with what a cache needs to know", async () => {
    const { key } = await json(
      await fetch(`${origin}/v1/blobs?name=na%C3%AFve.txt`, {
        method: "PUT",
        body: "read me back",
        headers: { "content-type": "text/plain" },
      }),
    );
    const response = await fetch(`${origin}/v1/blobs/${key}`);
    expect(await response.text()).toBe("read me back");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/plain",
      "content-length": "12",
      "cache-control": "public, max-age=31536000, immutable",
      "accept-ranges": "bytes",
      etag: `"${key}"`,
      "content-disposition": "inline; filename*=UTF-8''na%C3%AFve.txt",
      "repr-digest": `blake3=:${Buffer.from(parseKey(key).digest, "hex").toString("base64")}:`,
      "x-content-type-options": "nosniff",
    });
  });

  test("gives a part, and says which", async () => {
    const { key } = await json(await put("0123456789"));
    const response = await fetch(`${origin}/v1/blobs/${key}`, { headers: { range: "bytes=2-4" } });
    expect([response.status, await response.text(), response.headers.get("content-range")]).toEqual([
      206,
      "234",
      "bytes 2-4/10",
    ]);
  });

  test("of a part past the end is 416, and says how many bytes there are", async () => {
    const { key } = await json(await put("0123456789"));
    const response = await fetch(`${origin}/v1/blobs/${key}`, { headers: { range: "bytes=10-" } });
    expect(response.headers.get("content-range")).toBe("bytes */10");
    await expectProblem(response, 416, "OUT_OF_RANGE");
  });

  test("is 304 for who has it already", async () => {
    const { key } = await json(await put("cached"));
    const response = await fetch(`${origin}/v1/blobs/${key}`, { headers: { "if-none-match": `"other", W/"${key}"` } });
    expect([response.status, await response.text()]).toEqual([304, ""]);
  });

  test("HEAD gives the same headers and no bytes", async () => {
    const { key } = await json(await put("only the headers"));
    const response = await fetch(`${origin}/v1/blobs/${key}`, { method: "HEAD" });
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "16", ""]);
  });

  test.each(["bytes=0-3", "bytes=5000-"])("HEAD is of the whole, whatever the Range: %s", async (range) => {
    const { key } = await json(await put("only the headers"));
    const { status, headers } = await fetch(`${origin}/v1/blobs/${key}`, { method: "HEAD", headers: { range } });
    expect([status, headers.get("content-length"), headers.get("content-range")]).toEqual([200, "16", null]);
  });

  test("of what is not stored is 404, and says which key", async () => {
    const key = sha256Key("never stored");
    expect(await expectProblem(await fetch(`${origin}/v1/blobs/${key}`), 404, "NOT_FOUND")).toMatchObject({
      resource: key,
    });
  });

  test.each(["x", "blake3:abc:1", "md5:00:1", "%E0%A4%A"])("of the malformed key %s is 400", async (text) => {
    await expectProblem(await fetch(`${origin}/v1/blobs/${text}`), 400, "INVALID_ARGUMENT");
  });

  test("of a damaged block is 500 before a single byte, and the server hears of it", async () => {
    const { key } = await json(await put("soon to be damaged"));
    await driver.write(parseKey(key), Buffer.from("damaged"));
    await expectProblem(await fetch(`${origin}/v1/blobs/${key}`), 500, "CORRUPT");
    expect(unseen).toContainEqual(expect.objectContaining({ reason: "CORRUPT" }));
  });
});

describe("A request is counted", () => {
  test.each([
    ["OK", "/", {}],
    ["OK", "/v1/blobs", { method: "PUT", body: "counted" }],
    ["NOT_FOUND", "/v2", {}],
    ["NOT_FOUND", `/v1/blobs/${sha256Key("never stored")}`, {}],
    ["INVALID_ARGUMENT", "/v1/blobs/x", {}],
    ["INVALID_ARGUMENT", `/v1/blobs/${sha256Key("one")}`, { method: "PUT", body: "other" }],
    ["UNIMPLEMENTED", "/v1/blobs", { method: "POST" }],
    ["UNIMPLEMENTED", "/graviton.blob.v1.BlobService/StatBlob", { method: "POST", body: "text" }],
    ["INVALID_ARGUMENT", "/graviton.blob.v1.BlobService/StatBlob", asJson("{}")],
    ["INVALID_ARGUMENT", "/graviton.blob.v1.BlobService/StatBlob", asJson("no JSON")],
  ])("as %s: %s %j", async (code, path, init) => {
    expect(await codeOf((headers) => ask(path, init, headers))).toBe(code);
  });

  test("as OUT_OF_RANGE when it wants bytes past the end", async () => {
    const { key } = await json(await put("0123456789"));
    const range = { headers: { range: "bytes=10-" } };
    expect(await codeOf((headers) => ask(`/v1/blobs/${key}`, range, headers))).toBe("OUT_OF_RANGE");
  });

  test("as RESOURCE_EXHAUSTED when there is no place for it", async () => {
    const { key } = await json(await put("nobody waits for it"));
    const release = Promise.withResolvers<void>();
    const others = Array.from({ length: 32 }, () => places.run(undefined, () => release.promise));
    const code = await codeOf((headers) => ask(`/v1/blobs/${key}`, {}, headers));
    release.resolve();
    await Promise.all(others);
    expect(code).toBe("RESOURCE_EXHAUSTED");
  });

  test("as DATA_LOSS when the store cannot finish a download whose status has left", async () => {
    const key = await putAndDamageTheEnd();
    let status = 0;
    const code = await codeOf(async (headers) => {
      const response = await fetch(`${origin}/v1/blobs/${key}`, { headers });
      status = response.status;
      await response.bytes();
    });
    expect({ status, code }).toEqual({ status: 200, code: "DATA_LOSS" });
  });

  test("as DATA_LOSS when that happens over gRPC-Web, whose status is 200 even then", async () => {
    const { digest, size } = parseKey(await putAndDamageTheEnd());
    const request = { key: { algorithm: HashAlgorithm.BLAKE3, digest, size: BigInt(size) } };
    const client = createClient(BlobService, createGrpcWebTransport({ baseUrl: origin, httpVersion: "1.1" }));
    expect(await codeOf((headers) => Array.fromAsync(client.getBlob(request, { headers })))).toBe("DATA_LOSS");
  });

  test("as CANCELLED when the client breaks off its download, which is no failure of the server's", async () => {
    // More than the sockets between the two hold.
    const { key } = await json(await put(randomBytes(48 * 1024 * 1024)));
    const unseenBefore = unseen.length;
    const code = await codeOf(async (headers) => {
      const response = await fetch(`${origin}/v1/blobs/${key}`, { headers });
      await response.body?.cancel();
    });
    expect(code).toBe("CANCELLED");
    // The failure would be told of within the turn in which the request ends.
    await new Promise((resolve) => setImmediate(resolve));
    expect(unseen.slice(unseenBefore)).toEqual([]);
  });
});

describe("the rest of the HTTP face", () => {
  test("DELETE forgets a blob, and a second time is a success too", async () => {
    const { key } = await json(await put("to be forgotten"));
    for (const _ of [1, 2]) {
      expect((await fetch(`${origin}/v1/blobs/${key}`, { method: "DELETE" })).status).toBe(204);
    }
    expect((await fetch(`${origin}/v1/blobs/${key}`)).status).toBe(404);
  });

  test("GET /v1/blobs gives everything, a page at a time", async () => {
    for (const body of ["page a", "page b", "page c"]) await put(body);
    const all = await json(await fetch(`${origin}/v1/blobs`));
    const seen: unknown[] = [];
    let after = "";
    for (;;) {
      const page = await json(await fetch(`${origin}/v1/blobs?limit=2${after}`));
      seen.push(...page.blobs);
      if (page.next === undefined) break;
      after = `&after=${page.next}`;
    }
    expect(seen).toEqual(all.blobs);
    expect(seen.length).toBeGreaterThanOrEqual(3);
  });

  test("another method is 405, and says which are allowed", async () => {
    const response = await fetch(`${origin}/v1/blobs`, { method: "POST" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, PUT"]);
  });

  test("an unknown path is 404", async () => {
    await expectProblem(await fetch(`${origin}/v2`), 404, "NOT_FOUND");
  });

  test("GET / says that it works and what to type next, as text and as a page", async () => {
    const asText = await fetch(origin);
    expect(await asText.text()).toContain("Graviton 0.0.0-test works. The data is in memory.");
    const asPage = await fetch(origin, { headers: { accept: "text/html,*/*" } });
    expect(asPage.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await asPage.text()).toContain("<h1>Graviton works.</h1>");
  });

  test.each([
    ["0.0.0.0", "example.org:8480", "http://example.org:7480"],
    ["0.0.0.0", "192.0.2.7", "http://192.0.2.7:7480"],
    ["::", "[2001:db8::7]:8480", "http://[2001:db8::7]:7480"],
    ["::1", "example.org:8480", "http://[::1]:7480"],
    ["127.0.0.1", "example.org:8480", "http://127.0.0.1:7480"],
  ])("GET / of a process that listens on %s, asked as %s, shows %s for gRPC", async (host, asked, shown) => {
    await using process = await listeningOn(host);
    const page = await welcomeOf(process, asked);
    expect(page).toContain(`--list-services ${shown}\n`);
    expect(page).toContain(`curl http://${asked}/v1/blobs\n`);
  });

  test.each(["<script>", "a;reboot", "$(reboot)", "`reboot`", "a b", "user@example.org", "example.org/path", "a:b"])(
    "GET / with the Host %s shows nothing of it",
    async (asked) => {
      await using process = await listeningOn("0.0.0.0");
      const page = await welcomeOf(process, asked);
      expect(page).not.toContain(asked);
      expect(page).toContain("--list-services http://localhost:7480\n");
      expect(page).toContain(`curl http://localhost:${process.port}/v1/blobs\n`);
    },
  );

  test.each(["HTTP/1.0\r\n", "HTTP/1.1\r\nHost: a b\r\n", "HTTP/1.1\r\nHost: [\r\n"])(
    "a call over Connect that begins with %j is refused, and the server goes on",
    async (start) => {
      const answer = await raw(`POST /graviton.blob.v1.BlobService/StatBlob ${start}Connection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 400 .*"reason":"INVALID_ARGUMENT"/s);
      expect((await fetch(origin)).status).toBe(200);
    },
  );

  test("Connect answers beside it, in JSON", async () => {
    const { key } = await json(await put("seen over Connect"));
    const { algorithm, digest, size } = parseKey(key);
    const response = await fetch(`${origin}/graviton.blob.v1.BlobService/StatBlob`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key: { algorithm: `HASH_ALGORITHM_${algorithm.toUpperCase()}`, digest, size } }),
    });
    expect(await json(response)).toMatchObject({ confirmed: { blockCount: "1", key: { digest } } });
  });

  test("gRPC-Web streams a blob to browsers", async () => {
    const { key } = await json(await put("seen over gRPC-Web"));
    const transport = createGrpcWebTransport({ baseUrl: origin, httpVersion: "1.1" });
    const { digest, size } = parseKey(key);
    const request = { key: { algorithm: HashAlgorithm.BLAKE3, digest, size: BigInt(size) } };
    const frames = await Array.fromAsync(createClient(BlobService, transport).getBlob(request));
    expect(Buffer.concat(frames.map(({ frame }) => frame)).toString()).toBe("seen over gRPC-Web");
  });

  test("an error over Connect carries its reason and nothing of the server's inside", async () => {
    const response = await fetch(`${origin}/graviton.blob.v1.BlobService/StatBlob`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const error = await json(response);
    expect(error.code).toBe("invalid_argument");
    expect(JSON.stringify(error)).not.toContain(".ts");
  });

  test("an upload in flight when it drains is stored, and told that it was the last on its connection", async () => {
    const process = await listeningOn("127.0.0.1");
    const upload = httpRequest({
      port: process.port,
      host: "127.0.0.1",
      method: "PUT",
      path: "/v1/blobs",
      agent: new Agent({ keepAlive: true }),
      headers: { expect: "100-continue" },
    });
    await once(upload, "continue");
    const drained = process.drain(60_000);
    upload.end("in flight");
    const [response] = await once(upload, "response");
    expect([response.statusCode, response.headers.connection]).toEqual([201, "close"]);
    response.resume();
    await drained;
  });

  test("a port in use is refused with a message that names it", async () => {
    const again = httpFaceServer({
      routes: [],
      blobs,
      host: "127.0.0.1",
      port: server.port,
      welcome: { version: "", storage: "", grpcEndpoint: "" },
    });
    await expect(again).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      message: expect.stringContaining(`HTTP port ${server.port} on 127.0.0.1 is in use`),
    });
  });
});

/** Every field that an answer of this face may have. */
interface Answer {
  readonly key: string;
  readonly size: number;
  readonly blocks: number;
  readonly freshBlocks: number;
  readonly blobs: readonly unknown[];
  readonly next?: string;
  readonly reason: string;
  readonly code: string;
}

async function json(response: Response): Promise<Answer> {
  return (await response.json()) as Answer;
}

function put(body: string | Buffer<ArrayBuffer>): Promise<Response> {
  return fetch(`${origin}/v1/blobs`, { method: "PUT", body });
}

/** Told of the end of each request that goes by its id. */
const ends = new Map<string | null, (code: string) => void>();

function observer({ header }: Parameters<CallObserver>[0]): ReturnType<CallObserver> {
  const end = (code: string) => ends.get(header.get("x-request-id"))?.(code);
  return { run: (work) => work(), received() {}, sent() {}, end };
}

/** The code with which a request is counted, whether it succeeds or not. */
async function codeOf(request: (headers: Record<string, string>) => Promise<unknown>): Promise<string> {
  const requestId = randomUUID();
  const ended = new Promise<string>((resolve) => ends.set(requestId, resolve));
  await request({ "x-request-id": requestId }).catch(() => {});
  return ended;
}

async function ask(path: string, init: RequestInit, headers: Record<string, string>): Promise<void> {
  const response = await fetch(`${origin}${path}`, { ...init, headers: { ...init.headers, ...headers } });
  await response.bytes();
}

function asJson(body: string) {
  return { method: "POST", headers: { "content-type": "application/json" }, body };
}

/** A blob of several blocks, whose last one is damaged. */
async function putAndDamageTheEnd(): Promise<string> {
  const { key } = await json(await put(randomBytes(8 * 1024 * 1024)));
  const pages = await Array.fromAsync(manifests.blockRefs(parseKey(key), { offset: 0 }));
  const { block } = pages.flat().at(-1) as { readonly block: Key };
  await driver.write(block, Buffer.from("damaged"));
  return key;
}

/** A server that says that its gRPC listens there. */
function listeningOn(host: string): Promise<HttpServer> {
  const welcome = { version: "", storage: "", grpcEndpoint: `http://${host}:7480` };
  return httpFaceServer({ routes: [], blobs, host: "127.0.0.1", port: 0, welcome });
}

/** The first page for a client that calls the server by this name. */
async function welcomeOf({ port }: HttpServer, host: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  httpGet({ host: "127.0.0.1", port, headers: { host } }, (response) => resolve(text(response))).on("error", reject);
  return promise;
}

/** What the server answers to bytes that no proper client sends. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.end(bytes);
  return text(socket);
}

async function expectProblem(response: Response, status: number, reason: string): Promise<unknown> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = await json(response);
  expect({ status: response.status, reason: problem.reason }).toEqual({ status, reason });
  return problem;
}

function sha256Key(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}:${Buffer.byteLength(text)}`;
}
