import { isIP } from "node:net";
import type { Transport } from "@connectrpc/connect";
import { messageBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import { type ChannelOptions, Client, credentials } from "@grpc/grpc-js";
import { retryBufferBytes } from "./stream-call.ts";
import { createGrpcTransport } from "./transport.ts";
import { streamWindowBytes } from "./windows.ts";

/** A connection to one service, made when the first call needs it and again whenever it broke. */
export interface Channel extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  /** What Connect's `createClient` takes. */
  readonly transport: Transport;
}

/** What the other end of a channel may be tuned by. */
export interface ChannelInit {
  /** Headers that go with every call, asked for when it begins. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** Options of grpc-js that stand before those that Graviton chooses. */
  readonly options?: ChannelOptions | undefined;
}

const defaults: ChannelOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc-node.flow_control_window": streamWindowBytes,
  "grpc.per_rpc_retry_buffer_size": retryBufferBytes,
  // A connection that says nothing is asked whether it lives, so that no call waits for a machine that is gone.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // grpc-js waits up to two minutes before it tries a server again; a restart takes seconds.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2000,
  // All addresses of a name take their share of the calls.
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

/**
 * A channel to a service, without TLS.
 *
 * @param address `host:port` or `http://host:port`
 * @throws StorageError INVALID_ARGUMENT for anything else
 */
export function connect(address: string, init: ChannelInit = {}): Channel {
  const { host, port } = parseAddress(address);
  const client = new Client(`dns:///${host}:${port}`, credentials.createInsecure(), {
    ...defaults,
    // A proxy of the environment is for addresses beyond this machine.
    "grpc.enable_http_proxy": isLoopback(host) ? 0 : 1,
    ...init.options,
  });
  return new GrpcChannel(client, `${host}:${port}`, init.headers);
}

class GrpcChannel implements Channel {
  readonly address: string;
  readonly transport: Transport;
  readonly #client: Client;
  #closed = false;

  constructor(client: Client, address: string, headers?: ChannelInit["headers"]) {
    this.#client = client;
    this.address = address;
    const { unary, stream } = createGrpcTransport(client, headers);
    this.transport = {
      unary: async (...call) => {
        this.#check();
        return unary(...call);
      },
      stream: async (...call) => {
        this.#check();
        return stream(...call);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#client.close();
  }

  /** grpc-js throws an error of its own for a client that is closed. */
  #check(): void {
    if (!this.#closed) return;
    throw new StorageError("UNAVAILABLE", `the channel to ${this.address} is closed`, { resource: this.address });
  }
}

/**
 * The two parts of `host:port` or `http://host:port`.
 *
 * @throws StorageError INVALID_ARGUMENT for anything else
 */
export function parseAddress(address: string): { host: string; port: number } {
  const url = URL.parse(address.includes("://") ? address : `http://${address}`);
  const bare = url !== null && url.pathname === "/" && `${url.search}${url.hash}${url.username}${url.password}` === "";
  // URL leaves out the port 80, which http stands for.
  const port = url?.port === "" && /:80\/?$/.test(address) ? 80 : Number(url?.port);
  if (!bare || url.protocol !== "http:" || port < 1) {
    const text = JSON.stringify(String(address).slice(0, 100));
    throw new StorageError("INVALID_ARGUMENT", `malformed address ${text}: expected host:port or http://host:port`, {
      resource: String(address).slice(0, 200),
    });
  }
  return { host: url.hostname, port };
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}
