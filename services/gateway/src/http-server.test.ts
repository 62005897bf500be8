import { createHash } from "node:crypto";
import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import { parseKey } from "@graviton/ports/key";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { HashAlgorithm } from "@graviton/proto/graviton/core/v1/core_pb";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type HttpServer, httpFaceServer } from "./http-server.ts";

const unseen: unknown[] = [];
const driver = new MemoryBlockDriver();
const blobs = new CasBlobStore({
  blocks: new CasBlockStore("InMemoryBlockStore", driver),
  manifests: new InMemoryManifestStore(),
});
let server: HttpServer;
let origin: string;

beforeAll(async () => {
  server = await httpFaceServer({
    routes: [blobRoutes(blobs)],
    blobs,
    host: "127.0.0.1",
    port: 0,
    welcome: { version: "0.0.0-test", storage: "memory", grpcEndpoint: "http://127.0.0.1:7480" },
    onError: (error) => unseen.push(error),
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

  test("a port in use is refused with a message that names it", async () => {
    const again = httpFaceServer({
      routes: [],
      blobs,
      host: "127.0.0.1",
      port: server.port,
      welcome: { version: "", storage: "", grpcEndpoint: "" },
      onError: () => {},
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

function put(body: string): Promise<Response> {
  return fetch(`${origin}/v1/blobs`, { method: "PUT", body });
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
