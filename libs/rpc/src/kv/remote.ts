import { type Client, createClient } from "@connectrpc/connect";
import type { CallOptions } from "@graviton/ports/call-options";
import {
  checkKeyValueBatch,
  checkKeyValueKey,
  checkKeyValueRange,
  checkKeyValueValue,
  type KeyValueOperation,
  type KeyValuePair,
  type KeyValueRange,
  type KeyValueStore,
} from "@graviton/ports/key-value-store";
import { Lifetime } from "@graviton/ports/lifetime";
import { KeyValueService } from "@graviton/proto/graviton/kv/v1/kv_pb";
import type { Channel } from "../channel.ts";
import { RemoteCalls } from "../remote-call.ts";

/** A KeyValueStore behind a KeyValueService. The channel is the caller's. */
export class RemoteKeyValueStore implements KeyValueStore {
  readonly #client: Client<typeof KeyValueService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteKeyValueStore");

  constructor(channel: Channel) {
    this.#client = createClient(KeyValueService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  get(key: string, options?: CallOptions): Promise<Uint8Array | undefined> {
    return this.#lifetime.run(options, async () => {
      const request = { key: checkKeyValueKey(key) };
      const { value } = await this.#calls.answer(options, (call) => this.#client.get(request, call));
      return value;
    });
  }

  put(key: string, value: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { key: checkKeyValueKey(key), value: checkKeyValueValue(key, value) };
      await this.#calls.answer(options, (call) => this.#client.put(request, call));
    });
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { key: checkKeyValueKey(key) };
      await this.#calls.answer(options, (call) => this.#client.delete(request, call));
    });
  }

  batch(operations: readonly KeyValueOperation[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { operations: checkKeyValueBatch(operations).map(operationToWire) };
      await this.#calls.answer(options, (call) => this.#client.batch(request, call));
    });
  }

  compareAndSwap(
    key: string,
    expected: Uint8Array | undefined,
    next: Uint8Array | undefined,
    options?: CallOptions,
  ): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = {
        key: checkKeyValueKey(key),
        ...(expected === undefined ? {} : { expected: checkKeyValueValue(key, expected) }),
        ...(next === undefined ? {} : { next: checkKeyValueValue(key, next) }),
      };
      await this.#calls.answer(options, (call) => this.#client.compareAndSwap(request, call));
    });
  }

  scan(range: KeyValueRange, options?: CallOptions): AsyncIterable<KeyValuePair> {
    return this.#lifetime.stream(options, () => this.#scan(checkKeyValueRange(range), options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async *#scan(range: KeyValueRange, options: CallOptions | undefined): AsyncGenerator<KeyValuePair, void, void> {
    const request = rangeToWire(range);
    for await (const { pairs } of this.#calls.answers(options, (call) => this.#client.scan(request, call))) {
      for (const { key, value } of pairs) yield { key, value };
    }
  }
}

function operationToWire(operation: KeyValueOperation) {
  const { key } = operation;
  return operation.kind === "put" ? { key, value: operation.value } : { key };
}

function rangeToWire({ prefix = "", after, from, before, limit = 0 }: KeyValueRange) {
  return {
    prefix,
    limit: BigInt(limit),
    ...(after === undefined ? {} : { after }),
    ...(from === undefined ? {} : { from }),
    ...(before === undefined ? {} : { before }),
  };
}
