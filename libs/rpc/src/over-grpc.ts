import type { Damage, Harness, Subject } from "@graviton/conformance/contract";
import { type Channel, connect } from "./channel.ts";
import type { Routes } from "./routes.ts";
import { serveGrpc } from "./server.ts";

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
    const routes = [this.#routes(port)];
    const server = opened.use(await serveGrpc({ routes, host: "127.0.0.1", port: 0 }));
    const remote = this.#remote(opened.use(connect(server.address)));
    return closingWith(remote, opened.move());
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
