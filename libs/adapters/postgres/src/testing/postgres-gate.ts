import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PostgresServer } from "./postgres-server.ts";

/** A way to a server that can be shut, behind which the server is away for those who come by it. */
export interface PostgresGate extends AsyncDisposable {
  /** `postgres://…` of the server, by way of the gate. */
  readonly url: string;
  open(): Promise<void>;
  /** Breaks all connections, and takes no new one. */
  shut(): Promise<void>;
  /** Lets nothing more through and tells nobody, as a host does that vanishes; until it is opened again. */
  vanish(): void;
}

/** The address of a server, as the environment gives it to a process. */
export function urlOf({ config }: PostgresServer): URL {
  const { connectionString, host = "", user, database } = config;
  if (connectionString !== undefined) return new URL(connectionString);
  return new URL(`postgres://${user}@localhost/${database}?host=${encodeURIComponent(host)}`);
}

/** A gate before a server, shut at first. It is a socket in a folder of its own, which nobody else can take meanwhile. */
export async function postgresGate(server: PostgresServer): Promise<PostgresGate> {
  const folder = await mkdtemp(join(tmpdir(), "graviton-gate-"));
  const url = urlOf(server);
  const host = url.searchParams.get("host") ?? url.hostname;
  const port = Number(url.searchParams.get("port") ?? (url.port || "5432"));
  const toServer = () => (host.startsWith("/") ? connect(join(host, `.s.PGSQL.${port}`)) : connect(port, host));
  url.searchParams.set("host", folder);
  url.searchParams.set("port", "5432");
  const sockets = new Set<Socket>();
  const through = (client: Socket) => {
    const inner = toServer();
    for (const [socket, other] of [
      [client, inner],
      [inner, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  };
  let gate: Server | undefined;
  const shut = async () => {
    const closing = gate;
    gate = undefined;
    if (closing === undefined) return;
    closing.close();
    for (const socket of sockets) socket.destroy();
    await once(closing, "close");
  };
  return {
    url: url.href,
    shut,
    vanish() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async open() {
      await shut();
      gate = createServer(through).listen(join(folder, ".s.PGSQL.5432"));
      await once(gate, "listening");
    },
    async [Symbol.asyncDispose]() {
      await shut();
      await rm(folder, { recursive: true });
    },
  };
}
