import { type Client, createClient } from "@connectrpc/connect";
import { checkAttributes } from "@graviton/ports/attributes";
import { type ByteRange, checkRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkListOptions } from "@graviton/ports/call-options";
import { checkKey, type Key } from "@graviton/ports/key";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import { checkedPages, type ManifestHeader, type ManifestInfo, type ManifestPage } from "@graviton/ports/manifest";
import type { ManifestListOptions, ManifestReceipt, ManifestStore } from "@graviton/ports/manifest-store";
import { checkKeys } from "@graviton/ports/presence";
import type { ManifestPage as WirePage } from "@graviton/proto/graviton/core/v1/core_pb";
import { ManifestService, type ManifestInfo as WireInfo } from "@graviton/proto/graviton/manifest/v1/manifest_pb";
import type { Channel } from "../channel.ts";
import {
  attributesFromWire,
  attributesToWire,
  confirmedFromWire,
  keyFromWire,
  keyToWire,
  listToWire,
  rangeToWire,
  required,
} from "../convert.ts";
import { pageFromWire, pageToWire } from "../manifest-page.ts";
import { RemoteCalls } from "../remote-call.ts";

/** A ManifestStore behind a ManifestService. The channel is the caller's. */
export class RemoteManifestStore implements ManifestStore {
  readonly #client: Client<typeof ManifestService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteManifestStore");

  constructor(channel: Channel) {
    this.#client = createClient(ManifestService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  put(header: ManifestHeader, pages: AsyncIterable<ManifestPage>, options?: CallOptions): Promise<ManifestReceipt> {
    return this.#lifetime.run(options, async () => {
      const key = checkKey(header.key);
      const attributes = checkAttributes(header.attributes);
      const upload = uploadOf({ key, attributes }, checkedPages(key, abortable(pages, options?.signal)));
      const { created, info } = await this.#calls.answer(options, (call) => this.#client.putManifest(upload, call));
      return { created, info: infoFromWire(info) };
    });
  }

  get(key: Key, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => {
      const request = { key: keyToWire(checkKey(key)) };
      return pagesFrom(this.#calls.answers(options, (call) => this.#client.getManifest(request, call)));
    });
  }

  stat(key: Key, options?: CallOptions): Promise<ManifestInfo> {
    return this.#lifetime.run(options, async () => {
      const request = { key: keyToWire(checkKey(key)) };
      const { info } = await this.#calls.answer(options, (call) => this.#client.statManifest(request, call));
      return infoFromWire(info);
    });
  }

  blockRefs(key: Key, range: ByteRange, options?: CallOptions): AsyncIterable<ManifestPage> {
    return this.#lifetime.stream(options, () => {
      const request = { key: keyToWire(checkKey(key)), range: rangeToWire(checkRange(range)) };
      return pagesFrom(this.#calls.answers(options, (call) => this.#client.getBlockRefs(request, call)));
    });
  }

  delete(key: Key, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { key: keyToWire(checkKey(key)) };
      await this.#calls.answer(options, (call) => this.#client.deleteManifest(request, call));
    });
  }

  list(options: ManifestListOptions = {}): AsyncIterable<ManifestInfo> {
    return this.#lifetime.stream(options, () => {
      const request = listToWire(checkListOptions(options));
      return infosFrom(this.#calls.answers(options, (call) => this.#client.listManifests(request, call)));
    });
  }

  findMissingBlocks(keys: readonly Key[], options?: CallOptions): Promise<Key[]> {
    return this.#lifetime.run(options, async () => {
      const request = { keys: checkKeys(keys).map(keyToWire) };
      const { missing } = await this.#calls.answer(options, (call) => this.#client.findMissingBlocks(request, call));
      return missing.map(keyFromWire);
    });
  }

  recordBlocks(keys: readonly Key[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { keys: checkKeys(keys).map(keyToWire) };
      await this.#calls.answer(options, (call) => this.#client.recordBlocks(request, call));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

async function* uploadOf({ key, attributes }: ManifestHeader, pages: AsyncIterable<ManifestPage>) {
  const header = { key: keyToWire(key), attributes: attributesToWire(attributes) };
  yield { part: { case: "header" as const, value: header } };
  for await (const page of pages) yield { part: { case: "page" as const, value: pageToWire(page) } };
}

async function* pagesFrom(
  responses: AsyncIterable<{ page?: WirePage | undefined }>,
): AsyncGenerator<ManifestPage, void, void> {
  for await (const { page } of responses) yield pageFromWire(required(page, "page"));
}

async function* infosFrom(
  responses: AsyncIterable<{ info?: WireInfo | undefined }>,
): AsyncGenerator<ManifestInfo, void, void> {
  for await (const { info } of responses) yield infoFromWire(info);
}

function infoFromWire(wire: WireInfo | undefined): ManifestInfo {
  const { advertised, confirmed } = required(wire, "info");
  return { advertised: attributesFromWire(advertised), confirmed: confirmedFromWire(confirmed) };
}
