import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { Code, type StreamResponse, type Transport } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import { type Channel, type ChannelInit, type Connection, connect, parseAddress } from "./channel.ts";
import { isConnectError } from "./errors.ts";

/** Calls go elsewhere for this long after a replica did not answer, in milliseconds; twice as long each time that it does not. */
const restMsFirst = 1000;
const restMsMax = 30_000;

/** Where the replicas of one service are. */
export interface ReplicasInit {
  /** `manifest-service`, as errors call it. */
  readonly name: string;
  /** `host:port` each; a name stands for all of its addresses. */
  readonly addresses: readonly string[];
  /** What to say when there are none: which setting to look at. */
  readonly hint: string;
  /** How often names are resolved again, in milliseconds. */
  readonly resolveMs: number;
  readonly channel?: ChannelInit | undefined;
  /** Told whenever the set of replicas has changed, and of names that do not resolve. */
  readonly onChange?: ((change: ReplicasChange) => void) | undefined;
  /** All addresses of a name; the system's resolver when absent. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/** How a set of replicas changed. */
export interface ReplicasChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Names that did not resolve, whose replicas of before stay. */
  readonly failed: readonly string[];
}

/** One process of a service. */
export interface Replica {
  /** `10.0.0.7:7481`. */
  readonly name: string;
  readonly channel: Channel;
  /** Whether it failed to answer a moment ago, or is out of reach since it did. */
  readonly resting: boolean;
}

/**
 * The replicas of one service: those that its names resolve to, asked again and again, so that replicas come and go while
 * the process runs. A name that stops to resolve keeps the replicas that it had.
 */
export class Replicas implements AsyncDisposable {
  /** Gives each call to the next replica in turn; those that did not answer a moment ago come last. */
  readonly channel: Channel;
  readonly #init: ReplicasInit;
  readonly #timer: NodeJS.Timeout;
  readonly #byAddress = new Map<string, readonly string[]>();
  readonly #replicas = new Map<string, ReplicaChannel>();
  readonly #first: Promise<void>;
  #resolving: Promise<void> | undefined;
  #turn = 0;

  /** @throws StorageError INVALID_ARGUMENT for a malformed address */
  constructor(init: ReplicasInit) {
    for (const address of init.addresses) parseAddress(address);
    this.#init = init;
    this.channel = new RoundRobinChannel(init.name, () => this.#next());
    this.#first = this.#resolve();
    this.#resolving = this.#first;
    this.#timer = setInterval(() => this.#resolveAgain(), init.resolveMs).unref();
  }

  /** Resolves when the names have been asked for the first time. */
  get resolved(): Promise<void> {
    return this.#first;
  }

  /** Those that are known now, in the order of their names. */
  current(): readonly Replica[] {
    return [...this.#replicas.values()];
  }

  /** The error for a service of which no replica is known. */
  none(): StorageError {
    const { name, addresses, hint } = this.#init;
    const why = addresses.length === 0 ? "its list is empty" : `${addresses.join(", ")} resolves to no address`;
    return new StorageError("UNAVAILABLE", `no replica of ${name} is known, ${why}: ${hint}`, { resource: name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#resolving;
    await Promise.all([...this.#replicas.values()].map((replica) => replica.channel[Symbol.asyncDispose]()));
  }

  async #next(): Promise<ReplicaChannel> {
    await this.#first;
    const all = [...this.#replicas.values()];
    const awake = all.filter((replica) => !replica.resting);
    const candidates = awake.length > 0 ? awake : all;
    const next = candidates[this.#turn++ % Math.max(1, candidates.length)];
    if (next === undefined) throw this.none();
    return next;
  }

  /** One question at a time: an answer that comes late must not replace a newer one. */
  #resolveAgain(): void {
    if (this.#resolving !== undefined) return;
    this.#resolving = this.#resolve();
  }

  async #resolve(): Promise<void> {
    const failed: string[] = [];
    const resolve = this.#init.resolve ?? addressesOf;
    await Promise.all(
      this.#init.addresses.map(async (address) => {
        const { host, port } = parseAddress(address);
        try {
          const found = await resolve(host.replace(/^\[|\]$/g, ""));
          const names = found.map((found) => (isIPv6(found) ? `[${found}]:${port}` : `${found}:${port}`));
          this.#byAddress.set(address, names);
        } catch {
          failed.push(address);
        }
      }),
    );
    this.#resolving = undefined;
    this.#replace(new Set([...this.#byAddress.values()].flat().sort()), failed);
  }

  #replace(names: ReadonlySet<string>, failed: readonly string[]): void {
    const removed = [...this.#replicas.keys()].filter((name) => !names.has(name));
    const added = [...names].filter((name) => !this.#replicas.has(name));
    for (const name of removed) this.#forget(name);
    for (const name of added) this.#replicas.set(name, new ReplicaChannel(name, this.#init.channel));
    if (added.length + removed.length + failed.length > 0) this.#init.onChange?.({ added, removed, failed });
  }

  /** Calls that it still serves end in their own time; nothing new goes there. */
  #forget(name: string): void {
    const replica = this.#replicas.get(name);
    this.#replicas.delete(name);
    void replica?.channel[Symbol.asyncDispose]();
  }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}

/** A channel to one replica that remembers when it last did not answer. */
class ReplicaChannel implements Replica {
  readonly name: string;
  readonly channel: Channel;
  readonly #connection: Connection;
  #failures = 0;
  #restsUntil = 0;

  constructor(name: string, init: ChannelInit | undefined) {
    this.name = name;
    this.#connection = connect(name, init);
    this.channel = {
      address: name,
      transport: watched(this.#connection.transport, {
        answered: () => {
          this.#failures = 0;
          this.#restsUntil = 0;
        },
        failed: (error) => this.#failed(error),
      }),
      [Symbol.asyncDispose]: () => this.#connection[Symbol.asyncDispose](),
    };
  }

  get resting(): boolean {
    if (this.#failures === 0) return false;
    return performance.now() < this.#restsUntil || !this.#connection.isConnected();
  }

  #failed(error: unknown): void {
    if (!isConnectError(error) || error.code !== Code.Unavailable) return;
    this.#restsUntil = performance.now() + Math.min(restMsMax, restMsFirst * 2 ** this.#failures);
    this.#failures += 1;
  }
}

class RoundRobinChannel implements Channel {
  readonly address: string;
  readonly transport: Transport;

  constructor(address: string, next: () => Promise<Replica>) {
    this.address = address;
    this.transport = {
      unary: async (...call) => (await next()).channel.transport.unary(...call),
      stream: async (...call) => (await next()).channel.transport.stream(...call),
    };
  }

  /** The replicas own the connections. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Hears how calls went. */
interface Watcher {
  /** The other end has answered. */
  answered(): void;
  failed(error: unknown): void;
}

/** The same transport, with somebody who hears how its calls went. */
function watched(transport: Transport, watcher: Watcher): Transport {
  const watch = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      watcher.failed(error);
      throw error;
    }
  };
  return {
    unary: async (...call) => {
      const response = await watch(transport.unary(...call));
      watcher.answered();
      return response;
    },
    stream: async (...call) => {
      const response = await watch(transport.stream(...call));
      return { ...response, message: watchedMessages(response.message, watcher) } as typeof response;
    },
  };
}

type Messages = StreamResponse["message"];

async function* watchedMessages(messages: Messages, watcher: Watcher) {
  try {
    for await (const message of messages) {
      watcher.answered();
      yield message;
    }
  } catch (error) {
    watcher.failed(error);
    throw error;
  }
}
