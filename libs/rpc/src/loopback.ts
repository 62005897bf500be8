import { type Channel, connect } from "./channel.ts";
import type { Routes } from "./routes.ts";
import { type GrpcServer, serveGrpc } from "./server.ts";

/** A server and a channel to it, both of this process, over a socket. */
export interface Loopback extends AsyncDisposable {
  readonly server: GrpcServer;
  readonly channel: Channel;
}

/** Serves routes on a free port of this machine. */
export async function loopback(...routes: readonly Routes[]): Promise<Loopback> {
  const server = await serveGrpc({ routes, host: "127.0.0.1", port: 0 });
  const channel = connect(server.address);
  return {
    server,
    channel,
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
