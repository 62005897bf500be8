import type { IncomingMessage, ServerResponse } from "node:http";
import { isIPv6 } from "node:net";

/** What the first page tells. */
export interface WelcomeFacts {
  readonly version: string;
  /** Where the data is, in words: a folder, or the services behind. */
  readonly storage: string;
  /** Where gRPC listens, `http://127.0.0.1:7480`; on all addresses, `http://0.0.0.0:7480` or `http://:::7480`. */
  readonly grpcEndpoint: string;
}

/** Addresses that stand for all of a machine's. */
const wildcards = new Set(["0.0.0.0", "[::]"]);

interface Step {
  readonly says: string;
  readonly command: string;
}

/** Answers `GET /`: that it works, where the data is, and what to type next; as a page to browsers, as text to the rest. */
export function sendWelcome(facts: WelcomeFacts, request: IncomingMessage, response: ServerResponse): void {
  const { host, name } = askedHost(request);
  const steps = stepsFor(`http://${host}`, typeable(facts.grpcEndpoint, name));
  const html = (request.headers.accept ?? "").includes("text/html");
  const body = html ? page(facts, steps) : text(facts, steps);
  response.writeHead(200, {
    "content-type": html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** What the client calls this server; nothing that could be more than a name where it is typed into a shell. */
function askedHost({ headers, socket }: IncomingMessage): { readonly host: string; readonly name: string } {
  const [host, name] = /^([a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i.exec(headers.host ?? "") ?? [];
  return host === undefined || name === undefined
    ? { host: `localhost:${socket.localPort}`, name: "localhost" }
    : { host, name };
}

/**
 * An endpoint as it is typed. One on all addresses is at none that can be.
 *
 * @param name of the machine, shown for all of its addresses
 */
export function typeable(endpoint: string, name: string): string {
  const [, address = "", port = ""] = /^http:\/\/(.+):(\d+)$/.exec(endpoint) ?? [];
  const hostname = URL.parse(`http://${isIPv6(address) ? `[${address}]` : address}`)?.hostname ?? name;
  return `http://${wildcards.has(hostname) ? name : hostname}:${port}`;
}

function stepsFor(origin: string, grpcEndpoint: string): Step[] {
  return [
    { says: "Store a file; the answer is its key", command: "npx graviton put README.md" },
    { says: "Get it back, verified", command: "npx graviton get KEY -o copy.md" },
    { says: "The same over HTTP", command: `curl -T README.md ${origin}/v1/blobs` },
    { says: "", command: `curl ${origin}/v1/blobs/KEY -o copy.md` },
    { says: "What is stored", command: `curl ${origin}/v1/blobs` },
    {
      says: "Any language, over gRPC",
      command: `npx buf curl --protocol grpc --http2-prior-knowledge --list-services ${grpcEndpoint}`,
    },
  ];
}

function text({ version, storage }: WelcomeFacts, steps: readonly Step[]): string {
  const lines = steps.map(({ says, command }) => `${says === "" ? "" : `${says}:\n`}  ${command}`);
  return `Graviton ${version} works. The data is in ${storage}.\n\n${lines.join("\n")}\n`;
}

function page({ version, storage }: WelcomeFacts, steps: readonly Step[]): string {
  const items = steps.map(
    ({ says, command }) => `${says === "" ? "" : `<dt>${escaped(says)}</dt>`}<dd><code>${escaped(command)}</code></dd>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Graviton</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 50rem; margin: 6vh auto; padding: 0 1.5rem; }
  h1 { font-size: 2rem; margin: 0; }
  dt { margin-top: 1.25rem; }
  dd { margin: .25rem 0 0; }
  code { display: block; padding: .5rem .75rem; border-radius: .4rem; background: rgb(128 128 128 / .15); white-space: pre-wrap; overflow-wrap: anywhere; }
  small { opacity: .7; }
</style>
<h1>Graviton works.</h1>
<p>Content-addressable storage: every stream is stored once, and found by what it is.<br>
The data is in <strong>${escaped(storage)}</strong>.</p>
<dl>${items.join("\n")}</dl>
<p><small>Version ${escaped(version)}</small></p>
</html>
`;
}

function escaped(raw: string): string {
  return raw.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
