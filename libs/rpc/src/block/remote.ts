import { type Client, createClient } from "@connectrpc/connect";
import type { BlockInput, BlockStore, BlockStored, PutBlocksEvent, StoredBytes } from "@graviton/ports/block-store";
import { type ByteRange, checkRange, resolveRange, wholeRange } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { checkKey, formatKey, type Key } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import { type Locator, parseLocator } from "@graviton/ports/locator";
import type { ManifestEntry } from "@graviton/ports/manifest";
import { type BlockWritePlan, resolveBlockWritePlan } from "@graviton/ports/plan";
import { checkKeys } from "@graviton/ports/presence";
import {
  BlockService,
  BlockStatus,
  type GetBlocksResponse,
  type StoredBlock,
} from "@graviton/proto/graviton/block/v1/block_pb";
import type { Channel } from "../channel.ts";
import { keyFromWire, keyToWire, rangeToWire } from "../convert.ts";
import { downloadedBytes } from "../frames.ts";
import { pageFromWire } from "../manifest-page.ts";
import { RemoteCalls } from "../remote-call.ts";
import { assembledBlocks, type BlockPart } from "./block-parts.ts";
import { BlockUpload } from "./upload.ts";

/** A BlockStore behind a BlockService. The channel is the caller's. */
export class RemoteBlockStore implements BlockStore {
  readonly #client: Client<typeof BlockService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteBlockStore");

  constructor(channel: Channel) {
    this.#client = createClient(BlockService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options?: CallOptions,
  ): AsyncIterable<PutBlocksEvent> {
    return this.#lifetime.stream(options, () => {
      resolveBlockWritePlan(plan);
      return this.#putBlocks(plan, abortable(blocks, options?.signal), options);
    });
  }

  get(key: Key, range: ByteRange = wholeRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#lifetime.run(options, async () => {
      resolveRange(checkRange(range), checkKey(key).size, formatKey(key));
      const request = { key: keyToWire(key), range: rangeToWire(range) };
      return joined(downloadedBytes(this.#calls.answers(options, (call) => this.#client.getBlock(request, call))));
    });
  }

  getMany(keys: readonly Key[], options?: CallOptions): AsyncIterable<StoredBytes> {
    return this.#lifetime.stream(options, () => {
      const request = { keys: checkKeys(keys).map(keyToWire) };
      return storedBytes(this.#calls.answers(options, (call) => this.#client.getBlocks(request, call)));
    });
  }

  exists(keys: readonly Key[], options?: CallOptions): Promise<boolean[]> {
    return this.#lifetime.run(options, async () => {
      const request = { keys: checkKeys(keys).map(keyToWire) };
      const { exist } = await this.#calls.answer(options, (call) => this.#client.blocksExist(request, call));
      return exist;
    });
  }

  delete(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { keys: checkKeys(keys).map(keyToWire) };
      await this.#calls.answer(options, (call) => this.#client.deleteBlocks(request, call));
    });
  }

  /** Where the service keeps its blocks; undefined when it does not tell. */
  location(options?: CallOptions): Promise<Locator | undefined> {
    return this.#lifetime.run(options, async () => {
      const { locator } = await this.#calls.answer(options, (call) => this.#client.getLocation({}, call));
      return locator === "" ? undefined : parseLocator(locator);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#putBlocks(
    plan: BlockWritePlan,
    blocks: AsyncIterable<BlockInput>,
    options: CallOptions | undefined,
  ): AsyncGenerator<PutBlocksEvent, void, void> {
    const upload = new BlockUpload(plan);
    const requests = upload.requests(blocks);
    const entries: ManifestEntry[] = [];
    for await (const { part } of this.#calls.answers(options, (call) => this.#client.putBlocks(requests, call))) {
      if (part.case === "page") entries.push(...pageFromWire(part.value));
      if (part.case !== "stored") continue;
      upload.report();
      yield storedFromWire(part.value);
    }
    yield { kind: "manifest", entries };
  }
}

function storedFromWire({ key, status }: StoredBlock): BlockStored {
  return { kind: "stored", key: keyFromWire(key), status: status === BlockStatus.FRESH ? "FRESH" : "DUPLICATE" };
}

async function joined(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all = await Array.fromAsync(frames);
  const [first = new Uint8Array()] = all;
  if (all.length <= 1) return first;
  const bytes = new Uint8Array(all.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of all) {
    bytes.set(frame, at);
    at += frame.length;
  }
  return bytes;
}

async function* storedBytes(responses: AsyncIterable<GetBlocksResponse>): AsyncGenerator<StoredBytes, void, void> {
  for await (const { header, bytes } of assembledBlocks(partsOf(responses))) {
    yield { key: keyFromWire(header.key), bytes };
  }
}

async function* partsOf(responses: AsyncIterable<GetBlocksResponse>): AsyncGenerator<BlockPart, void, void> {
  for await (const { part } of responses) {
    if (part.case !== undefined) yield part;
  }
}
