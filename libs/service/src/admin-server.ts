import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { StorageError } from "@graviton/ports/storage-error";
import type { Metrics } from "./metrics.ts";
import type { Readiness } from "./readiness.ts";

/** What the admin port shows. */
export interface AdminServerInit {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
}

/** The admin port, listening. */
export interface AdminServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * Listens with `/metrics` for Prometheus, `/healthz` (the process lives) and `/readyz` (its backend answers; what does
 * not is named).
 *
 * @throws StorageError UNAVAILABLE when the port cannot be had
 */
export async function adminServer({ host, port, metrics, readiness }: AdminServerInit): Promise<AdminServer> {
  const server = createServer((request, response) => {
    answer(request, response, metrics, readiness).catch((error: unknown) => response.destroy(error as Error));
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", (cause) => {
    const message = `cannot listen on ${host}:${port} for the admin port: ${cause.message}`;
    listening.reject(new StorageError("UNAVAILABLE", message, { resource: `${host}:${port}`, cause }));
  });
  server.listen(port, host, listening.resolve);
  await listening.promise;
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, metrics: Metrics, readiness: Readiness) {
  const path = (request.url ?? "/").split("?", 1)[0];
  if (path === "/metrics") {
    const text = await metrics.registry.metrics();
    response.writeHead(200, { "content-type": metrics.registry.contentType }).end(text);
  } else if (path === "/healthz") {
    send(response, 200, { alive: true });
  } else if (path === "/readyz") {
    send(response, readiness.ready ? 200 : 503, { ready: readiness.ready, dependencies: readiness.states() });
  } else {
    send(response, 404, { paths: ["/metrics", "/healthz", "/readyz"] });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
