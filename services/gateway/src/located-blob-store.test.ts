import { CasBlockStore } from "@graviton/cas/cas-block-store";
import { keyOf } from "@graviton/cas/hasher";
import type { BlockReplica } from "@graviton/decorators/block-replicas";
import { observed } from "@graviton/decorators/observed";
import { rank } from "@graviton/decorators/rendezvous";
import { SpreadBlockStore } from "@graviton/decorators/spread-block-store";
import { MemoryBlockDriver } from "@graviton/memory/block-driver";
import { InMemoryManifestStore } from "@graviton/memory/manifest-store";
import { InMemoryReplicaIndex } from "@graviton/memory/replica-index";
import type { BlobReceipt } from "@graviton/ports/blob-store";
import type { BlockStore } from "@graviton/ports/block-store";
import type { Key } from "@graviton/ports/key";
import { parseLocator } from "@graviton/ports/locator";
import { StorageError } from "@graviton/ports/storage-error";
import { describe, expect, test } from "@jest/globals";
import { LocatedBlobStore } from "./located-blob-store.ts";

const west = "mem://west/blocks";
const east = "mem://east/blocks";
const elsewhere = "s3://elsewhere/blocks";

describe("A blob whose blocks live in several places", () => {
  test("is noted at all of them when its blocks are spread", async () => {
    const { blobs, replicas } = places(west, east);
    const { key } = (await put(blobs, "abcdefghijklmnopqrstuvwxyz".repeat(4), 2)).confirmed;
    expect(await replicas.replicas(key)).toEqual([parseLocator(east), parseLocator(west)]);
  });

  test.each([west, east])("is noted at %s alone when all of it is there", async (location) => {
    const { blobs, replicas, services } = places(west, east);
    const { key } = (await put(blobs, textOf(location, services))).confirmed;
    expect(await replicas.replicas(key)).toEqual([parseLocator(location)]);
    const there = services.find((service) => service.location === location);
    expect(await there?.store.exists([key])).toEqual([true]);
  });

  test("stays noted where it was before", async () => {
    const { blobs, replicas, services } = places(west, east);
    const text = textOf(west, services);
    const key = keyOf("blake3", Buffer.from(text));
    await put(blobs, text);
    await replicas.update(key, [parseLocator(elsewhere)]);
    await put(blobs, text);
    expect(await replicas.replicas(key)).toEqual([west, elsewhere].sort().map(parseLocator));
  });

  test("is noted also where its blocks were before", async () => {
    const { blobs, replicas, services } = places(west, east);
    const text = textOf(west, services);
    await Array.fromAsync(storeAt(services, east).putBlocks({}, once({ bytes: Buffer.from(text) })));
    const { key } = (await put(blobs, text)).confirmed;
    expect(await replicas.replicas(key)).toEqual([parseLocator(east), parseLocator(west)]);
  });

  test("is read where the index says that it is", async () => {
    const { blobs, replicas, services, asked } = places(west, east);
    const text = textOf(west, services);
    const { key } = (await put(blobs, text)).confirmed;
    await Array.fromAsync(storeAt(services, east).putBlocks({}, once({ bytes: Buffer.from(text) })));
    expect([await get(blobs, key), askedToGive(asked)]).toEqual([text, [west]]);
    await replicas.update(key, [parseLocator(east)]);
    expect([await get(blobs, key), askedToGive(asked)]).toEqual([text, [east]]);
  });

  test("is found all the same where the index is wrong", async () => {
    const { blobs, replicas, services } = places(west, east);
    const text = textOf(west, services);
    const { key } = (await put(blobs, text)).confirmed;
    await replicas.update(key, [parseLocator(east)]);
    expect(await get(blobs, key)).toBe(text);
  });

  test("is put and read while the index is away, and somebody hears of it", async () => {
    const { blobs, replicas, failures } = places(west, east);
    await replicas[Symbol.asyncDispose]();
    const { key } = (await put(blobs, "not in the index")).confirmed;
    expect(failures).toMatchObject([{ reason: "UNAVAILABLE" }]);
    expect(await get(blobs, key)).toBe("not in the index");
    await blobs.delete(key);
    expect(failures).toHaveLength(3);
  });

  test("is forgotten by the index when it is deleted", async () => {
    const { blobs, replicas } = places(west, east);
    const { key } = (await put(blobs, "soon gone")).confirmed;
    await blobs.delete(key);
    expect(await replicas.replicas(key)).toEqual([]);
  });
});

describe("A blob whose blocks all live in one place", () => {
  test("is read without a question to the index", async () => {
    const { blobs, replicas, failures } = places(west, west);
    const { key } = (await put(blobs, "two services, one place")).confirmed;
    expect(await replicas.replicas(key)).toEqual([parseLocator(west)]);
    await replicas[Symbol.asyncDispose]();
    expect(await get(blobs, key)).toBe("two services, one place");
    expect(failures).toEqual([]);
  });
});

test("A blob at services that do not say where they keep their blocks is put and read, and has no place", async () => {
  const { blobs, replicas, failures } = places(undefined, undefined);
  const { key } = (await put(blobs, "somewhere")).confirmed;
  expect(await get(blobs, key)).toBe("somewhere");
  expect([await replicas.replicas(key), failures]).toEqual([[], []]);
});

/** One block service for each of the locations; those of the same location share their blocks. */
function places(...locations: readonly (string | undefined)[]) {
  const asked: { readonly store: string; readonly method: string }[] = [];
  const observer = {
    begin(operation: { readonly store: string; readonly method: string }) {
      asked.push(operation);
      return { end() {} };
    },
  };
  const drivers = new Map<string, MemoryBlockDriver>();
  const services = locations.map((location, index): BlockReplica => {
    const place = location ?? `place ${index}`;
    const driver = drivers.get(place) ?? new MemoryBlockDriver();
    drivers.set(place, driver);
    const store = observed(new CasBlockStore("MemoryBlockStore", driver), place, observer);
    return { name: `10.0.0.${index}:7481`, location, store };
  });
  const blocks = new SpreadBlockStore({
    replicas: () => services,
    none: () => new StorageError("UNAVAILABLE", "there is none"),
    keyOf,
  });
  const replicas = new InMemoryReplicaIndex();
  const failures: unknown[] = [];
  const blobs = new LocatedBlobStore({
    blocks,
    manifests: new InMemoryManifestStore(),
    replicas,
    onPut: () => {},
    onIndexError: (error) => failures.push(error),
  });
  return { blobs, replicas, services, asked, failures };
}

/** A text of one block, for which the service at a location is responsible. */
function textOf(location: string, services: readonly BlockReplica[]): string {
  for (let number = 0; ; number += 1) {
    const text = `text ${number}`;
    if (rank(keyOf("blake3", Buffer.from(text)).digest, services)[0]?.location === location) return text;
  }
}

function storeAt(services: readonly BlockReplica[], location: string): BlockStore {
  const service = services.find((candidate) => candidate.location === location);
  if (service === undefined) throw new Error(`there is no service at ${location}`);
  return service.store;
}

/** Who was asked for bytes since the last time. */
function askedToGive(asked: { readonly store: string; readonly method: string }[]): string[] {
  return asked
    .splice(0)
    .filter(({ method }) => ["get", "getMany"].includes(method))
    .map(({ store }) => store);
}

function put(blobs: LocatedBlobStore, text: string, blockBytes = 1024): Promise<BlobReceipt> {
  return blobs.put({ chunker: { kind: "fixed", blockBytes } }, once(Buffer.from(text)));
}

async function get(blobs: LocatedBlobStore, key: Key): Promise<string> {
  return Buffer.concat(await Array.fromAsync(blobs.get(key))).toString();
}

async function* once<T>(item: T): AsyncGenerator<T, void, void> {
  yield item;
}
