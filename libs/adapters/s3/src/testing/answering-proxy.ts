import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** An HTTP proxy before an engine, which answers in its stead where it is told to. */
export interface AnsweringProxy extends AsyncDisposable {
  /** The engine's, by way of the proxy. */
  readonly endpoint: string;
  /** What becomes of each request from now on. */
  answer: Answerer;
}

/** Gives the answer to a request, or `broken` to end its connection without one. */
export type Answerer = (request: ProxiedRequest) => Promise<ProxiedAnswer | "broken">;

export interface ProxiedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** Asks the engine, once. */
  forward(): Promise<ProxiedAnswer>;
}

export interface ProxiedAnswer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/**
 * Forwards what it is not told to answer.
 *
 * @param endpoint the engine's, `http://host:port`
 */
export async function answeringProxy(endpoint: string): Promise<AnsweringProxy> {
  const server = createServer(async (incoming, outgoing) => {
    const body = await buffer(incoming);
    const { method = "", headers } = incoming;
    const url = new URL(incoming.url ?? "", endpoint);
    const forward = () => ask(endpoint, incoming, body);
    const answer = await proxy.answer({ method, url, headers, forward }).catch(() => "broken" as const);
    if (answer === "broken") incoming.socket.destroy();
    else outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: AnsweringProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (request) => request.forward(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

/** Whether it writes on the condition that there is nothing. */
export function isConditional({ headers }: ProxiedRequest): boolean {
  return headers["if-none-match"] !== undefined;
}

/** Whether it makes an object of the parts of an upload. */
export function isCompletion({ method, url }: ProxiedRequest): boolean {
  return method === "POST" && url.searchParams.has("uploadId");
}

/** Whether it brings a part of an upload. */
export function isPart({ method, url }: ProxiedRequest): boolean {
  return method === "PUT" && url.searchParams.has("uploadId");
}

async function ask(endpoint: string, { method, url, headers }: IncomingMessage, body: Buffer): Promise<ProxiedAnswer> {
  const { hostname, port } = new URL(endpoint);
  const outgoing = request({ hostname, port, method, path: url, headers });
  // Of an engine that answers before it has read everything, and then breaks the connection.
  outgoing.on("error", () => {});
  outgoing.end(body);
  const [given] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: given.statusCode ?? 500, headers: given.headers, body: await buffer(given) };
}
