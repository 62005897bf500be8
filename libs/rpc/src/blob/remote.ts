import { type Client, createClient } from "@connectrpc/connect";
import type { BlobInfo, BlobListOptions, BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { type ByteRange, checkRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkListOptions } from "@graviton/ports/call-options";
import { checkKey, type Key } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import { type BlobWritePlan, resolveBlobWritePlan } from "@graviton/ports/plan";
import { checkKeys } from "@graviton/ports/presence";
import {
  BlobService,
  type ListBlobsResponse,
  type PutBlobResponse,
  type StatBlobResponse,
} from "@graviton/proto/graviton/blob/v1/blob_pb";
import type { Channel } from "../channel.ts";
import {
  attributesFromWire,
  confirmedFromWire,
  countFromWire,
  keyFromWire,
  keyToWire,
  listToWire,
  rangeToWire,
} from "../convert.ts";
import { bytesParts, downloadedBytes } from "../frames.ts";
import { RemoteCalls } from "../remote-call.ts";
import { planToWire } from "./plan.ts";

/** A BlobStore behind a BlobService. The channel is the caller's. */
export class RemoteBlobStore implements BlobStore {
  readonly #client: Client<typeof BlobService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteBlobStore");

  constructor(channel: Channel) {
    this.#client = createClient(BlobService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  put(plan: BlobWritePlan, bytes: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<BlobReceipt> {
    return this.#lifetime.run(options, async () => {
      resolveBlobWritePlan(plan);
      const upload = uploadOf(plan, abortable(bytes, options?.signal));
      return receiptFromWire(await this.#calls.answer(options, (call) => this.#client.putBlob(upload, call)));
    });
  }

  get(key: Key, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => {
      const request = { key: keyToWire(checkKey(key)), range: rangeToWire(checkRange(range)) };
      return downloadedBytes(this.#calls.answers(options, (call) => this.#client.getBlob(request, call)));
    });
  }

  stat(key: Key, options?: CallOptions): Promise<BlobInfo> {
    return this.#lifetime.run(options, async () => {
      const request = { key: keyToWire(checkKey(key)) };
      return infoFromWire(await this.#calls.answer(options, (call) => this.#client.statBlob(request, call)));
    });
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { key: keyToWire(checkKey(key)) };
      await this.#calls.answer(options, (call) => this.#client.deleteBlob(request, call));
    });
  }

  list(options: BlobListOptions = {}): AsyncIterable<BlobInfo> {
    return this.#lifetime.stream(options, () => {
      const request = listToWire(checkListOptions(options));
      return infosFrom(this.#calls.answers(options, (call) => this.#client.listBlobs(request, call)));
    });
  }

  findMissing(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, async () => {
      const request = { keys: checkKeys(keys).map(keyToWire) };
      const { missing } = await this.#calls.answer(options, (call) => this.#client.findMissingBlobs(request, call));
      return missing.map(keyFromWire);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

async function* uploadOf(plan: BlobWritePlan, bytes: AsyncIterable<Uint8Array>) {
  yield { part: { case: "plan" as const, value: planToWire(plan) } };
  yield* bytesParts(bytes);
}

async function* infosFrom(responses: AsyncIterable<ListBlobsResponse>): AsyncGenerator<BlobInfo, void, void> {
  for await (const info of responses) yield infoFromWire(info);
}

function infoFromWire({ advertised, confirmed }: StatBlobResponse | ListBlobsResponse | PutBlobResponse): BlobInfo {
  return { advertised: attributesFromWire(advertised), confirmed: confirmedFromWire(confirmed) };
}

function receiptFromWire(response: PutBlobResponse): BlobReceipt {
  return {
    ...infoFromWire(response),
    created: response.created,
    freshBlocks: countFromWire(response.freshBlocks, "fresh blocks"),
    duplicateBlocks: countFromWire(response.duplicateBlocks, "duplicate blocks"),
    freshBytes: countFromWire(response.freshBytes, "fresh bytes"),
  };
}
