import { stopSignal } from "@graviton/service/stop-signal";
import { startCluster } from "./cluster.ts";

const verbose = process.argv.includes("--verbose");
const print = (line: string) => void process.stdout.write(`${line}\n`);
const stopped = stopSignal();

print("Starting Postgres, an S3 and eight processes of Graviton; this takes some seconds.");
const cluster = await startCluster({
  usualPorts: true,
  log: (_, line) => {
    if (verbose || /"level":"(warn|error|fatal)"/.test(line)) print(line);
  },
}).catch((error: unknown) => {
  print(`The cluster cannot start: ${Error.isError(error) ? error.message : String(error)}`);
  process.exit(1);
});

const rows = [
  ...cluster.gateways,
  ...cluster.blockServices,
  ...cluster.manifestServices,
  cluster.kvService,
  cluster.objectService,
].map(({ service, address, ports, pid }) => {
  const web = ports.http === undefined ? "" : `  HTTP http://127.0.0.1:${ports.http}`;
  return `  ${service.padEnd(17)} gRPC ${address}  admin http://127.0.0.1:${ports.admin}  pid ${pid}${web}`;
});
const [gateway, other] = cluster.gateways;
print(
  `The cluster works. Blocks and objects are on ${cluster.blockBackend}, manifests in Postgres, values in LevelDB.`,
);
print(rows.join("\n"));
print("Next, in another terminal:");
print(`  npx graviton put README.md --endpoint http://${gateway?.address}`);
print(`  npx graviton ls --endpoint http://${other?.address}`);
print(`  curl http://127.0.0.1:${gateway?.ports.admin}/metrics`);
print(`  kill -9 ${cluster.blockServices[0]?.pid}    # and put again: the other block service takes over`);
print("Ctrl-C ends it, and removes what it stored.");
if (cluster.blockBackend === "the file system") {
  print("No S3 is installed. With Go: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0");
}
await stopped;
await cluster[Symbol.asyncDispose]();
