import { type Client, createClient } from "@connectrpc/connect";
import { type ByteRange, checkRange, wholeRange } from "@graviton/ports/byte-range";
import { type CallOptions, checkListOptions } from "@graviton/ports/call-options";
import { abortable, Lifetime } from "@graviton/ports/lifetime";
import {
  checkLocator,
  checkLocatorPrefix,
  formatLocator,
  type Locator,
  type LocatorPrefix,
  parseLocator,
} from "@graviton/ports/locator";
import type { MutableObjectStore, ObjectInfo, ObjectListOptions, ObjectPutOptions } from "@graviton/ports/object-store";
import { ObjectService, type ObjectInfo as WireInfo } from "@graviton/proto/graviton/object/v1/object_pb";
import type { Channel } from "../channel.ts";
import { countFromWire, listToWire, rangeToWire, required } from "../convert.ts";
import { bytesParts, downloadedBytes } from "../frames.ts";
import { RemoteCalls } from "../remote-call.ts";

/** A MutableObjectStore behind an ObjectService. The channel is the caller's; the server knows which scheme it holds. */
export class RemoteObjectStore implements MutableObjectStore {
  readonly #client: Client<typeof ObjectService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteObjectStore");

  constructor(channel: Channel) {
    this.#client = createClient(ObjectService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  head(locator: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const request = { locator: formatLocator(checkLocator(locator)) };
      const { info } = await this.#calls.answer(options, (call) => this.#client.headObject(request, call));
      return infoFromWire(info);
    });
  }

  list(prefix: LocatorPrefix, options: ObjectListOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#lifetime.stream(options, () => {
      const request = { prefix: formatLocator(checkLocatorPrefix(prefix)), ...listToWire(checkListOptions(options)) };
      return infosFrom(this.#calls.answers(options, (call) => this.#client.listObjects(request, call)));
    });
  }

  get(locator: Locator, range: ByteRange = wholeRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#lifetime.stream(options, () => {
      const request = { locator: formatLocator(checkLocator(locator)), range: rangeToWire(checkRange(range)) };
      return downloadedBytes(this.#calls.answers(options, (call) => this.#client.getObject(request, call)));
    });
  }

  put(locator: Locator, bytes: AsyncIterable<Uint8Array>, options: ObjectPutOptions = {}): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const header = { locator: formatLocator(checkLocator(locator)), ifAbsent: options.ifAbsent ?? false };
      const upload = uploadOf(header, abortable(bytes, options.signal));
      const { info } = await this.#calls.answer(options, (call) => this.#client.putObject(upload, call));
      return infoFromWire(info);
    });
  }

  delete(locator: Locator, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { locator: formatLocator(checkLocator(locator)) };
      await this.#calls.answer(options, (call) => this.#client.deleteObject(request, call));
    });
  }

  copy(from: Locator, to: Locator, options?: CallOptions): Promise<ObjectInfo> {
    return this.#lifetime.run(options, async () => {
      const request = { from: formatLocator(checkLocator(from)), to: formatLocator(checkLocator(to)) };
      const { info } = await this.#calls.answer(options, (call) => this.#client.copyObject(request, call));
      return infoFromWire(info);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

async function* uploadOf(header: { locator: string; ifAbsent: boolean }, bytes: AsyncIterable<Uint8Array>) {
  yield { part: { case: "header" as const, value: header } };
  yield* bytesParts(bytes);
}

async function* infosFrom(
  responses: AsyncIterable<{ info?: WireInfo | undefined }>,
): AsyncGenerator<ObjectInfo, void, void> {
  for await (const { info } of responses) yield infoFromWire(info);
}

function infoFromWire(wire: WireInfo | undefined): ObjectInfo {
  const { locator, size, modifiedAtMs, etag } = required(wire, "info");
  return {
    locator: parseLocator(locator),
    size: countFromWire(size, "size"),
    modifiedAt: countFromWire(modifiedAtMs, "time"),
    etag,
  };
}
