import type { Damage, Harness, Subject } from "@graviton/conformance/contract";
import type { Channel } from "./channel.ts";
import { loopback } from "./loopback.ts";
import type { Routes } from "./routes.ts";

/**
 * The same subject behind the wire: every handle is served on a socket of its own and used through the remote adapter,
 * so that one contract holds on both sides.
 */
export function overGrpc<Port extends AsyncDisposable>(
  subject: Subject<Port>,
  routes: (port: Port) => Routes,
  remote: (channel: Channel) => Port,
): Subject<Port> {
  return {
    name: `${subject.name} over gRPC`,
    capabilities: subject.capabilities,
    isolated: subject.isolated,
    damageable: subject.damageable,
    start: async () => new GrpcHarness(await subject.start(), routes, remote),
  };
}

class GrpcHarness<Port extends AsyncDisposable> implements Harness<Port> {
  readonly #local: Harness<Port>;
  readonly #routes: (port: Port) => Routes;
  readonly #remote: (channel: Channel) => Port;

  constructor(local: Harness<Port>, routes: (port: Port) => Routes, remote: (channel: Channel) => Port) {
    this.#local = local;
    this.#routes = routes;
    this.#remote = remote;
  }

  async open(): Promise<Port> {
    await using opened = new AsyncDisposableStack();
    const port = opened.use(await this.#local.open());
    const { channel } = opened.use(await loopback(this.#routes(port)));
    return closingWith(this.#remote(channel), opened.move());
  }

  damage(name: string, how?: Damage): Promise<void> {
    return this.#local.damage(name, how);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#local[Symbol.asyncDispose]();
  }
}

/** The same port, which on dispose waits for its calls and then closes what it stands on. */
function closingWith<Port extends AsyncDisposable>(port: Port, owned: AsyncDisposableStack): Port {
  const dispose = port[Symbol.asyncDispose].bind(port);
  return Object.assign(port, {
    async [Symbol.asyncDispose]() {
      await dispose();
      await owned.disposeAsync();
    },
  });
}
