import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP proxy before an engine, which counts requests and treats the condition of a write as some S3s do. */
export interface ConditionProxy extends AsyncDisposable {
  /** The engine's, by way of the proxy. */
  readonly endpoint: string;
  /** The method of each request so far. */
  readonly methods: string[];
  /** What becomes of conditions from now on. */
  treatment: Treatment;
}

/**
 * `heeded`: as the engine does; `ignored`: what it refuses because it is there seems written; `broken`: the connection
 * ends without an answer; a number: the answer has this status.
 */
export type Treatment = "heeded" | "ignored" | "broken" | number;

/** @param endpoint the engine's, `http://host:port` */
export async function conditionProxy(endpoint: string, treatment: Treatment): Promise<ConditionProxy> {
  const { hostname, port } = new URL(endpoint);
  const methods: string[] = [];
  const server = createServer((incoming, answer) => {
    const { treatment } = proxy;
    const { method = "", url: path = "", headers } = incoming;
    methods.push(method);
    const isConditional = headers["if-none-match"] !== undefined;
    if (isConditional && treatment === "broken") {
      incoming.destroy();
      return;
    }
    if (isConditional && typeof treatment === "number") {
      incoming.resume().once("end", () => answer.writeHead(treatment).end());
      return;
    }
    const outgoing = request({ hostname, port, method, path, headers }, (given) => {
      const isIgnored = treatment === "ignored" && given.statusCode === 412;
      answer.writeHead(isIgnored ? 200 : (given.statusCode ?? 500), isIgnored ? { etag: '"same"' } : given.headers);
      if (isIgnored) given.resume().once("end", () => answer.end());
      else given.pipe(answer);
    });
    outgoing.on("error", () => incoming.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: ConditionProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    methods,
    treatment,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
