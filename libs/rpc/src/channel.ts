import { isIP } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { messageBytesMax } from "@graviton/ports/limits";
import { StorageError } from "@graviton/ports/storage-error";
import { type ChannelOptions, Client, connectivityState, credentials } from "@grpc/grpc-js";
import { connected, isConnected } from "./connection.ts";
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

/** A channel that knows whether there is somebody at its other end. */
export interface Connection extends Channel {
  /** Whether the connection stands. Asks for one where it does not. */
  isConnected(): boolean;
  /** Whether the last attempt to connect failed. The next one follows by itself. */
  isOutOfReach(): boolean;
  /**
   * Waits for the connection as long as calls do, and not longer than this one has time.
   *
   * @returns whether the connection stands; false also for a caller who has gone or has no time left
   * @throws ConnectError UNAVAILABLE when calls wait no longer, StorageError UNAVAILABLE when the channel is closed
   */
  reach(signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<boolean>;
}

/** What the other end of a channel may be tuned by. */
export interface ChannelInit {
  /** Headers that go with every call, asked for when it begins. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** How long calls wait for the connection, in milliseconds. */
  readonly connectMsMax?: number | undefined;
  /** Options of grpc-js that stand before those that Graviton chooses. */
  readonly options?: ChannelOptions | undefined;
}

/** As long as gRPC's own document on connections, connection-backoff.md, gives one at least. */
const connectMsDefault = 20_000;

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
export function connect(address: string, init: ChannelInit = {}): Connection {
  const { host, port } = parseAddress(address);
  const client = new Client(`dns:///${host}:${port}`, credentials.createInsecure(), {
    ...defaults,
    // A proxy of the environment is for addresses beyond this machine.
    "grpc.enable_http_proxy": isLoopback(host) ? 0 : 1,
    ...init.options,
  });
  return new GrpcChannel(client, `${host}:${port}`, init);
}

class GrpcChannel implements Connection {
  readonly address: string;
  readonly transport: Transport;
  readonly #client: Client;
  readonly #connectMsMax: number;
  #closed = false;

  constructor(client: Client, address: string, { headers, connectMsMax = connectMsDefault }: ChannelInit) {
    this.#client = client;
    this.address = address;
    this.#connectMsMax = connectMsMax;
    const { unary, stream } = createGrpcTransport(client, headers);
    this.transport = {
      unary: async (method, signal, timeoutMs, ...rest) =>
        unary(method, signal, await this.#connected(signal, timeoutMs), ...rest),
      stream: async (method, signal, timeoutMs, ...rest) => {
        const leftMs = await this.#connected(signal, timeoutMs);
        if (takesInput(method)) this.#checkReach();
        return stream(method, signal, leftMs, ...rest);
      },
    };
  }

  isConnected(): boolean {
    return !this.#closed && isConnected(this.#client);
  }

  isOutOfReach(): boolean {
    if (this.#closed) return true;
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.TRANSIENT_FAILURE;
  }

  async reach(signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<boolean> {
    await this.#connected(signal, timeoutMs);
    return this.isConnected();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#client.close();
  }

  /** Waits for the connection, and gives what is left of the call's time then. */
  async #connected(signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<number | undefined> {
    this.#check();
    const leftMs = countdown(timeoutMs);
    const endsFirst = timeoutMs !== undefined && timeoutMs <= this.#connectMsMax;
    await connected(this.#client, signal, endsFirst ? timeoutMs : this.#connectMsMax).catch((error: unknown) => {
      // A call that has no time left says so itself.
      if (!endsFirst) throw error;
    });
    this.#check();
    return leftMs();
  }

  /** A call that is sure to fail would take the first of its input, which may be there only once. */
  #checkReach(): void {
    if (this.isOutOfReach()) throw new ConnectError(`no connection to ${this.address}`, Code.Unavailable);
  }

  /** grpc-js throws an error of its own for a client that is closed. */
  #check(): void {
    if (!this.#closed) return;
    throw new StorageError("UNAVAILABLE", `the channel to ${this.address} is closed`, { resource: this.address });
  }
}

/** What is left of a call's time whenever it is asked, in milliseconds; undefined for one that has no end. */
export function countdown(timeoutMs: number | undefined): () => number | undefined {
  const start = performance.now();
  return () => (timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - start)));
}

/** Whether the caller sends a stream. */
function takesInput({ methodKind }: DescMethod): boolean {
  return methodKind === "client_streaming" || methodKind === "bidi_streaming";
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
