import { Server, type ServerOptions, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * An HTTP server that ends soon, and cuts nothing off. Node's own serves a connection for as long as its client asks again
 * in time, and closes one whose answer is written though the client has yet to take it.
 */
export class DrainingServer extends Server {
  /** The connections, each with its responses that have not left, the oldest first. */
  readonly #connections = new Map<Socket, Set<ServerResponse>>();
  #closed: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    super(options);
    this.on("connection", (socket: Socket) => {
      this.#connections.set(socket, new Set());
      socket.once("close", () => this.#connections.delete(socket));
    });
    this.on("request", ({ socket }, response) => this.#began(socket, response));
  }

  /** Takes no new connection, ends each as soon as it has nothing left to answer, and after the grace all that are left. */
  async drain(graceMs: number): Promise<void> {
    this.#closed ??= this.#close();
    const force = setTimeout(() => this.closeAllConnections(), graceMs);
    await this.#closed.finally(() => clearTimeout(force));
  }

  /**
   * Node's `close` calls it, too. Requests that have arrived are looked for first, which takes the loop one whole turn; one
   * whose head has yet to come is not in flight, and nothing was done for it.
   */
  override closeIdleConnections(): void {
    setImmediate(() => setImmediate(() => this.#closeUnasked()));
  }

  #began(socket: Socket, response: ServerResponse): void {
    this.#connections.get(socket)?.add(response);
    if (this.#closed !== undefined) announceLast(response);
    response.once("close", () => {
      this.#connections.get(socket)?.delete(response);
      if (this.#closed !== undefined) this.closeIdleConnections();
    });
  }

  #closeUnasked(): void {
    for (const [socket, responses] of this.#connections) if (responses.size === 0) socket.destroySoon();
  }

  #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.close(() => resolve()));
    for (const responses of this.#connections.values()) announceLast([...responses].at(-1));
    return closed;
  }
}

/** Tells the client to ask nothing more on this connection, unless the headers that would say so have left. */
function announceLast(response: ServerResponse | undefined): void {
  if (response?.headersSent === false) response.setHeader("connection", "close");
}
