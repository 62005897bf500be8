import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A server that accepts connections and never says a word, as a process that stands still does. */
export interface SilentServer extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  /** Resolves with the first connection. */
  readonly connected: Promise<unknown>;
}

/** Starts one on a free port of this machine. */
export async function silentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  const connected = once(server, "connection");
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connected,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
