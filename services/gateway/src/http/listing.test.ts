import { CasBlobStore } from "@graviton/cas/cas-blob-store";
import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import type { BlobInfo, BlobStore } from "@graviton/ports/blob-store";
import { formatKey } from "@graviton/ports/key";
import { StorageError } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { httpFaceServer } from "../http-server.ts";

const info: BlobInfo = {
  advertised: { name: "listed" },
  confirmed: { key: { algorithm: "sha256", digest: "0".repeat(64), size: 7 }, blockCount: 1, createdAt: 0 },
};

/** As much as is written at once. */
const large: BlobInfo = { ...info, advertised: { name: "x".repeat(65_536) } };

describe("GET /v1/blobs", () => {
  test("answers in one line of JSON, and says where the next page begins if there is one", async () => {
    const blobs = inMemory();
    for (const name of ["a", "b"]) await blobs.put({ attributes: { name } }, once(Buffer.from(name)));
    const [first, second] = (await Array.fromAsync(blobs.list())).map(written);
    await using face = await serving(blobs);
    expect(await face.text("?limit=1")).toBe(`{"blobs":[${first?.json}],"next":"${first?.key}"}\n`);
    expect(await face.text("?limit=2")).toBe(`{"blobs":[${first?.json},${second?.json}]}\n`);
    expect(await face.text(`?after=${first?.key}`)).toBe(`{"blobs":[${second?.json}]}\n`);
    expect(await face.text(`?after=${second?.key}`)).toBe('{"blobs":[]}\n');
  });

  test("sends a part of the page when it has enough for one, and holds no page", async () => {
    const taken = Promise.withResolvers<void>();
    await using face = await serving(
      listing(async function* () {
        yield large;
        await taken.promise;
        yield large;
      }),
    );
    const { json } = written(large);
    expect(await read(await face.get(), taken.resolve)).toBe(`{"blobs":[${json},${json}]}\n`);
  });

  test.each([
    ["at once", []],
    ["after few blobs", [info, info]],
  ])("that fails %s is a problem with its own status", async (_, infos) => {
    await using face = await serving(listing(() => failingAfter(infos)));
    const response = await face.get();
    expect([response.status, response.headers.get("content-type")]).toEqual([503, "application/problem+json"]);
    expect(await response.json()).toMatchObject({ reason: "UNAVAILABLE" });
  });

  test("that fails after its first part breaks off, and never looks whole", async () => {
    const taken = Promise.withResolvers<void>();
    await using face = await serving(listing(() => failingAfter([large], taken.promise)));
    const response = await face.get();
    expect(response.status).toBe(200);
    await expect(read(response, taken.resolve)).rejects.toThrow();
  });
});

/** What a listing says of a blob. */
function written({ confirmed, advertised }: BlobInfo): { readonly key: string; readonly json: string } {
  const key = formatKey(confirmed.key);
  const { blockCount: blocks, createdAt } = confirmed;
  const json = { key, size: confirmed.key.size, blocks, createdAt: new Date(createdAt), attributes: advertised };
  return { key, json: JSON.stringify(json) };
}

function inMemory(): BlobStore {
  return new CasBlobStore({
    blocks: new CasBlockStore("InMemoryBlockStore", new MemoryBlockDriver()),
    manifests: new InMemoryManifestStore(),
  });
}

/** A store that lists what no real one does on demand. */
function listing(list: BlobStore["list"]): BlobStore {
  return Object.assign(inMemory(), { list });
}

async function* failingAfter(infos: readonly BlobInfo[], taken?: Promise<void>): AsyncGenerator<BlobInfo, void, void> {
  yield* infos;
  await taken;
  throw new StorageError("UNAVAILABLE", "the manifests are away");
}

/** The text of an answer, as it comes. */
async function read({ body }: Response, onPart: () => void): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of body ?? []) {
    parts.push(part);
    onPart();
  }
  return Buffer.concat(parts).toString();
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

interface Face extends AsyncDisposable {
  get(query?: string): Promise<Response>;
  text(query: string): Promise<string>;
}

async function serving(blobs: BlobStore): Promise<Face> {
  const welcome = { version: "", storage: "", grpcEndpoint: "" };
  const server = await httpFaceServer({ routes: [], blobs, host: "127.0.0.1", port: 0, welcome });
  const get = (query = "") => fetch(`http://127.0.0.1:${server.port}/v1/blobs${query}`);
  return {
    get,
    text: async (query) => (await get(query)).text(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
