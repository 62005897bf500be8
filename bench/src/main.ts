import { benchAdapters } from "./adapters.ts";
import { benchChunkers } from "./chunkers.ts";
import { benchCluster } from "./cluster.ts";
import { benchEmbedded, benchMemory } from "./embedded.ts";
import { benchPostgres } from "./postgres.ts";

const parts: Record<string, () => Promise<void>> = {
  chunkers: benchChunkers,
  adapters: benchAdapters,
  postgres: benchPostgres,
  cluster: benchCluster,
  embedded: benchEmbedded,
  memory: benchMemory,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) await bench();
}
