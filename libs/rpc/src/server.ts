import { isIPv6 } from "node:net";
import { messageBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import { Server, ServerCredentials, type ServerOptions } from "@grpc/grpc-js";
import { type GrpcServiceOptions, grpcService } from "./handlers.ts";
import type { Routes } from "./routes.ts";
import { openWindows } from "./windows.ts";

/** What {@link serveGrpc} serves, and where. */
export interface ServeOptions extends GrpcServiceOptions {
  readonly routes: readonly Routes[];
  /** The interface to listen on, `127.0.0.1`, `0.0.0.0` or `::`. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Adds services of other kinds, health and reflection, before the server listens. */
  readonly register?: ((server: Server) => void) | undefined;
  /**
   * Closes a connection this long after it was opened, once its calls have ended, in milliseconds: so that clients
   * find servers that were added since. Never when absent.
   */
  readonly connectionAgeMs?: number | undefined;
}

/** A server that listens. Disposing it ends its calls at once; {@link GrpcServer.drain} lets them end. */
export interface GrpcServer extends AsyncDisposable {
  /** `127.0.0.1:7480`, as clients take it. */
  readonly address: string;
  readonly port: number;
  /** The server of grpc-js. */
  readonly server: Server;
  /** Takes no new calls, waits for those in flight, and after `graceMs` milliseconds ends those that are left. */
  drain(graceMs: number): Promise<void>;
}

/** A connection that says nothing is asked this often whether it lives, and given this long to answer. */
const keepalive = { "grpc.keepalive_time_ms": 30_000, "grpc.keepalive_timeout_ms": 10_000 };

/** Calls at once on one connection; a client of HTTP/2 waits with the next one. Each holds a few KiB whatever it does. */
const streamsMax = 1000;

/**
 * Serves Routes over gRPC without TLS, and resolves once it listens.
 *
 * @throws StorageError UNAVAILABLE when it cannot listen there, naming the address
 */
export async function serveGrpc(options: ServeOptions): Promise<GrpcServer> {
  const server = new Server(serverOptions(options));
  for (const routes of options.routes) {
    const { definition, handlers } = grpcService(routes, options);
    server.addService(definition, handlers);
  }
  options.register?.(server);
  const port = await listen(server, options.host, options.port);
  return new ListeningServer(server, options.host, port);
}

function serverOptions({ connectionAgeMs }: ServeOptions): ServerOptions {
  return {
    ...keepalive,
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_concurrent_streams": streamsMax,
    ...(connectionAgeMs === undefined ? {} : { "grpc.max_connection_age_ms": connectionAgeMs }),
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  const address = addressOf(host, port);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(cannotListen(address, error));
    });
  });
}

function cannotListen(address: string, cause: Error): StorageError {
  const used = cause.message.includes("EADDRINUSE");
  const why = used ? "another process listens there: stop it, or choose another port" : cause.message;
  return new StorageError("UNAVAILABLE", `cannot listen on ${address}: ${why}`, { resource: address, cause });
}

function addressOf(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

class ListeningServer implements GrpcServer {
  readonly server: Server;
  readonly address: string;
  readonly port: number;
  readonly #stopWatching: () => void;
  #drained: Promise<void> | undefined;

  constructor(server: Server, host: string, port: number) {
    this.server = server;
    this.address = addressOf(host, port);
    this.port = port;
    this.#stopWatching = openWindows(port);
  }

  async drain(graceMs: number): Promise<void> {
    this.#drained ??= this.#shutDown();
    const force = () => this.server.forceShutdown();
    const timer = setTimeout(force, graceMs);
    await this.#drained.finally(() => clearTimeout(timer));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain(0);
  }

  #shutDown(): Promise<void> {
    const shutDown = new Promise<void>((resolve, reject) => {
      this.server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
    });
    return shutDown.finally(this.#stopWatching);
  }
}
