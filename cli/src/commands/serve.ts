import { errorCode, isStorageError, StorageError } from "@graviton/ports/storage-error";
import { type Command, Option } from "commander";
import { portArgument } from "../arguments.ts";

/** How long calls in flight may take to end after Ctrl-C, in milliseconds. */
const graceMs = 10_000;

const help = `
Serves every port over one data folder, in one process: gRPC on one port, HTTP on another. The folder is made when it
is not there, and one process at a time may have it. Ctrl-C, or SIGTERM, lets the calls in flight end.

Examples:
  $ graviton serve
  $ graviton serve --data /var/lib/graviton --host 0.0.0.0
  $ graviton serve --grpc-port 0 --http-port 0`;

/** `graviton serve`. */
export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run Graviton: all services in one process, on one data folder")
    .addOption(new Option("--data <folder>", "where the data is").env("GRAVITON_DATA").default("./graviton-data"))
    .addOption(new Option("--host <address>", "the address to listen on").env("GRAVITON_HOST").default("127.0.0.1"))
    .addOption(portOption("--grpc-port <port>", "the port for gRPC; 0 for a free one", "GRAVITON_GRPC_PORT", 7480))
    .addOption(portOption("--http-port <port>", "the port for HTTP; 0 for a free one", "GRAVITON_HTTP_PORT", 8480))
    .addHelpText("after", help)
    .action(serve);
}

function portOption(flags: string, says: string, variable: string, port: number): Option {
  return new Option(flags, says).env(variable).default(port).argParser(portArgument);
}

interface ServeOptions {
  readonly data: string;
  readonly host: string;
  readonly grpcPort: number;
  readonly httpPort: number;
}

async function serve({ data, host, grpcPort, httpPort }: ServeOptions): Promise<void> {
  const [{ serveEmbedded }, { stopSignal }, { tuneGarbageCollection }] = await Promise.all([
    import("@graviton/embedded/serve"),
    import("@graviton/service/stop-signal"),
    import("@graviton/service/garbage-collection"),
  ]);
  tuneGarbageCollection();
  // Before the first line is printed: whoever reads it may already send the signal.
  const stopped = stopSignal();
  const config = { dataFolder: data, host, grpcPort, httpPort, graceMs };
  const server = await serveEmbedded(config, (line) => process.stdout.write(`${line}\n`)).catch((error: unknown) => {
    throw startError(error);
  });
  await stopped;
  await server.drain();
}

/** Whatever the system refuses at the start, it is the service that is not there. */
function startError(error: unknown): unknown {
  if (isStorageError(error) || errorCode(error) === undefined) return error;
  const message = Error.isError(error) ? error.message : String(error);
  return new StorageError("UNAVAILABLE", `cannot start: ${message}`, { cause: error });
}
