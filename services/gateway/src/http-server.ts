import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { messageBytesMax } from "@graviton/ports/limits";
import { errorCode, StorageError } from "@graviton/ports/storage-error";
import { type CallObserver, unobserved } from "@graviton/rpc/call-observer";
import { pathOf } from "@graviton/rpc/handlers";
import type { Routes } from "@graviton/rpc/routes";
import { DrainingServer } from "./http/draining-server.ts";
import { type HttpFaceParts, httpFace } from "./http/http-face.ts";
import { observeRequest } from "./http/observe-request.ts";
import { noteRpcFailures, requestKey } from "./http/outcome.ts";
import { sendProblem } from "./http/problem.ts";

/** What the HTTP port serves. */
export interface HttpServerConfig extends HttpFaceParts {
  /** Served over Connect and gRPC-Web, for their unary and server-streaming methods. */
  readonly routes: readonly Routes[];
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Told of every request. */
  readonly observer?: CallObserver | undefined;
}

/** How long a connection may say nothing in either direction, in milliseconds: its request holds a place meanwhile. */
const silenceMsMax = 120_000;

/** The HTTP port, listening. Disposing it closes it at once. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  /** Takes no new connection, and lets requests in flight end within the grace, in milliseconds. */
  drain(graceMs: number): Promise<void>;
}

/**
 * Listens with the plain HTTP routes, and the same services over Connect and gRPC-Web beside them.
 *
 * @throws StorageError UNAVAILABLE when the port cannot be had
 */
export async function httpFaceServer(config: HttpServerConfig): Promise<HttpServer> {
  const face = httpFace(config);
  const connect = connectNodeAdapter({
    routes: (router) => {
      for (const { service, implementation } of config.routes) router.service(service, implementation);
    },
    // A small compressed frame could inflate to any size.
    acceptCompression: [],
    interceptors: [noteRpcFailures],
    contextValues: (request) => createContextValues().set(requestKey, request as IncomingMessage),
    readMaxBytes: messageBytesMax,
    writeMaxBytes: messageBytesMax,
    fallback: (request, response) => face(request as IncomingMessage, response as ServerResponse<IncomingMessage>),
  });
  const { observer = unobserved } = config;
  const rpcPaths = new Set(config.routes.flatMap(({ service }) => service.methods.map(pathOf)));
  // An upload may take as long as it takes; a client that neither sends nor takes anything is ended.
  const server = new DrainingServer({ requestTimeout: 0 });
  server.on("request", (request, response) => {
    observeRequest(observer, rpcPaths, request, response).run(() => {
      try {
        connect(request, response);
      } catch (cause) {
        // Connect makes a URL of the request before anything else, and throws where its Host allows none.
        sendProblem(
          response,
          new StorageError("INVALID_ARGUMENT", "the Host header is missing or malformed", { cause }),
        );
      }
    });
  });
  server.timeout = silenceMsMax;
  await listen(server, config.host, config.port);
  const { port } = server.address() as AddressInfo;
  return { port, drain: (graceMs) => server.drain(graceMs), [Symbol.asyncDispose]: () => server.drain(0) };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(port, host, listening.resolve);
  try {
    await listening.promise;
  } catch (error) {
    const why =
      errorCode(error) === "EADDRINUSE"
        ? "is in use: stop what listens there, or choose another port"
        : "cannot be listened on";
    throw new StorageError("UNAVAILABLE", `HTTP port ${port} on ${host} ${why}`, {
      resource: `${host}:${port}`,
      cause: error,
    });
  }
}
