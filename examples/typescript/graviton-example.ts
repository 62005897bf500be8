// Stores a file, reads a part of it back, and looks for it among all blobs.
import { GravitonClient } from "@graviton/client/client";
import { formatKey, type Key, keysEqual } from "@graviton/ports/key";
import { isStorageError } from "@graviton/ports/storage-error";

const [endpoint, path] = process.argv.slice(2);
if (endpoint === undefined || path === undefined) {
  console.error("usage: graviton-example.ts http://127.0.0.1:7480 FILE");
  process.exit(2);
}

try {
  await main(endpoint, path);
} catch (error) {
  if (!isStorageError(error)) throw error;
  console.error(`${error.reason}: ${error.message}`);
  process.exitCode = 1;
}

async function main(endpoint: string, path: string): Promise<void> {
  await using client = new GravitonClient({ endpoint });

  const { confirmed, created } = await client.putFile(path);
  const { key } = confirmed;
  console.log(`Stored ${formatKey(key)}, ${created ? "new" : "there already"}`);

  const middle = { offset: Math.floor(key.size / 2), length: 16 };
  const part = Buffer.concat(await Array.fromAsync(client.get(key, { range: middle })));
  console.log(`Read ${part.length} bytes from ${middle.offset} on: ${part.toString("hex")}`);

  console.log(`Listed ${(await isListed(client, key)) ? "with" : "without"} it`);
}

async function isListed(client: GravitonClient, key: Key): Promise<boolean> {
  for await (const blob of client.list()) {
    if (keysEqual(blob.confirmed.key, key)) return true;
  }
  return false;
}
