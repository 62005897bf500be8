import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { Code, type StreamResponse, type Transport } from "@connectrpc/connect";
import { hasReason, StorageError } from "@graviton/ports/storage-error";
import { type Channel, type ChannelInit, type Connection, connect, countdown, parseAddress } from "./channel.ts";
import { isConnectError } from "./errors.ts";
import { checkHealth } from "./health.ts";

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
  /** Whether calls had better go elsewhere: it failed to answer a moment ago, is out of reach, or says that it does not serve. */
  readonly resting: boolean;
  /**
   * Asks it whether it serves. One that does not rests until it does. To serve on ends no other rest: a replica may say
   * so and fail every call.
   *
   * @throws StorageError UNAVAILABLE when it does not, or does not answer
   */
  check(signal: AbortSignal): Promise<void>;
}

/**
 * The replicas of one service: those that its names resolve to, asked again and again, so that replicas come and go while
 * the process runs. A name that stops to resolve keeps the replicas that it had.
 */
export class Replicas implements AsyncDisposable {
  /**
   * Gives each call to the next replica in turn, those that rest last. Nothing of a call is taken before a replica is
   * reached: where that fails, the call goes to the next.
   */
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
    this.channel = new RoundRobinChannel(init.name, (...call) => this.#next(...call));
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

  async #next(signal: AbortSignal | undefined, leftMs: () => number | undefined): Promise<Replica> {
    await this.#first;
    const candidates = this.#candidates();
    const last = candidates.pop();
    if (last === undefined) throw this.none();
    for (const replica of candidates) if (await replica.reach(signal, leftMs())) return replica;
    // It says itself why it is not reached.
    return last;
  }

  /**
   * Those to try for one call, the first first. Nobody waits for one that has no connection while another has; it gets one
   * meanwhile. Where none has, nobody waits for more than one that is known to be out of reach.
   */
  #candidates(): ReplicaChannel[] {
    const all = [...this.#replicas.values()];
    const turn = this.#turn++;
    const { awake = [], resting = [] } = Object.groupBy(all, (replica) => (replica.resting ? "resting" : "awake"));
    const reached = resting.filter((replica) => replica.isConnected());
    const ready = awake.filter((replica) => replica.isConnected());
    const inReach = [...inTurn(ready.length > 0 ? ready : awake, turn), ...inTurn(reached, turn)];
    return inReach.length > 0 ? inReach : inTurn(resting, turn).slice(0, 1);
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

/** All of them, beginning with another one each turn. */
function inTurn<T>(items: readonly T[], turn: number): T[] {
  const first = turn % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/** A channel to one replica that remembers when it last did not answer. */
class ReplicaChannel implements Replica {
  readonly name: string;
  readonly channel: Channel;
  readonly #connection: Connection;
  #failures = 0;
  #restsUntil = 0;
  #serves = true;

  constructor(name: string, init: ChannelInit | undefined) {
    this.name = name;
    this.#connection = connect(name, init);
    this.channel = {
      address: name,
      transport: watched(this.#connection.transport, {
        answered: () => this.#wake(),
        failed: (error) => this.#failed(error),
      }),
      [Symbol.asyncDispose]: () => this.#connection[Symbol.asyncDispose](),
    };
  }

  get resting(): boolean {
    if (!this.#serves || performance.now() < this.#restsUntil) return true;
    if (this.#connection.isConnected()) return false;
    return this.#failures > 0 || this.#connection.isOutOfReach();
  }

  isConnected(): boolean {
    return this.#connection.isConnected();
  }

  /** Waits for its connection, as a call does: whether it stands. */
  async reach(signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<boolean> {
    try {
      return await this.#connection.reach(signal, timeoutMs);
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Not through its own channel: that it answers this says nothing of its calls. */
  async check(signal: AbortSignal): Promise<void> {
    try {
      await checkHealth(this.#connection, signal);
      if (!this.#serves) this.#wake();
      this.#serves = true;
    } catch (error) {
      if (hasReason(error, "UNAVAILABLE")) this.#serves = false;
      throw error;
    }
  }

  #wake(): void {
    this.#failures = 0;
    this.#restsUntil = 0;
  }

  /** Calls that fail together count as one: what began before the rest tells nothing about the end of it. */
  #failed(error: unknown): void {
    const now = performance.now();
    if (!isConnectError(error) || error.code !== Code.Unavailable || now < this.#restsUntil) return;
    this.#restsUntil = now + Math.min(restMsMax, restMsFirst * 2 ** this.#failures);
    this.#failures += 1;
  }
}

/** Chooses the replica for a call that has so much time left. */
type NextReplica = (signal: AbortSignal | undefined, leftMs: () => number | undefined) => Promise<Replica>;

class RoundRobinChannel implements Channel {
  readonly address: string;
  readonly transport: Transport;

  constructor(address: string, next: NextReplica) {
    this.address = address;
    this.transport = {
      unary: async (method, signal, timeoutMs, ...rest) => {
        const leftMs = countdown(timeoutMs);
        const { channel } = await next(signal, leftMs);
        return channel.transport.unary(method, signal, leftMs(), ...rest);
      },
      stream: async (method, signal, timeoutMs, ...rest) => {
        const leftMs = countdown(timeoutMs);
        const { channel } = await next(signal, leftMs);
        return channel.transport.stream(method, signal, leftMs(), ...rest);
      },
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
