import { type Client, createClient } from "@connectrpc/connect";
import type { CallOptions } from "@graviton/ports/call-options";
import { checkKey, type Key } from "@graviton/ports/key";
import { Lifetime } from "@graviton/ports/lifetime";
import { formatLocator, type Locator, parseLocator } from "@graviton/ports/locator";
import { locatorSet, type ReplicaIndex } from "@graviton/ports/replica-index";
import { ReplicaIndexService } from "@graviton/proto/graviton/replica/v1/replica_pb";
import type { Channel } from "../channel.ts";
import { keyToWire } from "../convert.ts";
import { RemoteCalls } from "../remote-call.ts";

/** A ReplicaIndex behind a ReplicaIndexService. The channel is the caller's. */
export class RemoteReplicaIndex implements ReplicaIndex {
  readonly #client: Client<typeof ReplicaIndexService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteReplicaIndex");

  constructor(channel: Channel) {
    this.#client = createClient(ReplicaIndexService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  replicas(key: Key, options?: CallOptions): Promise<Locator[]> {
    return this.#lifetime.run(options, async () => {
      const request = { key: keyToWire(checkKey(key)) };
      const { locators } = await this.#calls.answer(options, (call) => this.#client.getReplicas(request, call));
      return locators.map(parseLocator);
    });
  }

  update(key: Key, locators: readonly Locator[], options?: CallOptions): Promise<void> {
    return this.#lifetime.run(options, async () => {
      const request = { key: keyToWire(checkKey(key)), locators: locatorSet(locators).map(formatLocator) };
      await this.#calls.answer(options, (call) => this.#client.updateReplicas(request, call));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}
