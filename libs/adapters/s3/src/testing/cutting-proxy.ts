import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy before an engine, which breaks connections as it is told. */
export interface CuttingProxy extends AsyncDisposable {
  /** The engine's, by way of the proxy. */
  readonly endpoint: string;
  /** Connections of clients that are open. */
  readonly open: number;
  /** The most that were open at once. */
  readonly openMost: number;
  /** Connections that were cut. */
  readonly cuts: number;
  /** From now on each of so many connections is cut once it has brought the client so many bytes more. */
  cut(plan: Cut): void;
}

export interface Cut {
  readonly afterBytes: number;
  readonly times: number;
  /** What happens after the engine's side is cut and before the client notices. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** @param endpoint the engine's, `http://host:port` */
export async function cuttingProxy(endpoint: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(endpoint);
  const clients = new Set<Socket>();
  let plan: Cut = { afterBytes: 0, times: 0 };
  let openMost = 0;
  let cuts = 0;
  const server = createServer((client) => {
    clients.add(client);
    openMost = Math.max(openMost, clients.size);
    const engine = connect(Number(port), hostname);
    let seen = 0;
    let isCut = false;
    engine.on("data", (bytes) => {
      if (isCut) return;
      seen = plan.times > 0 ? seen + bytes.length : 0;
      if (plan.times === 0 || seen <= plan.afterBytes) {
        if (!client.write(bytes)) engine.pause();
        return;
      }
      isCut = true;
      cuts += 1;
      engine.destroy();
      client.write(bytes.subarray(0, bytes.length - (seen - plan.afterBytes)));
      const { meanwhile = async () => {} } = plan;
      plan = { ...plan, times: plan.times - 1 };
      meanwhile().finally(() => client.destroySoon());
    });
    client.on("drain", () => engine.resume());
    client.on("data", (bytes) => engine.write(bytes));
    client.on("close", () => {
      clients.delete(client);
      engine.destroy();
    });
    engine.on("close", () => {
      if (!isCut) client.destroySoon();
    });
    for (const socket of [client, engine]) socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get open() {
      return clients.size;
    },
    get openMost() {
      return openMost;
    },
    get cuts() {
      return cuts;
    },
    cut(cut) {
      plan = cut;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
