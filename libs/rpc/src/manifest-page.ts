import type { MessageInitShape } from "@bufbuild/protobuf";
import { digestBytes, type Key, makeKey } from "@graviton/ports/key";
import { blockBytesMax, manifestPageEntries } from "@graviton/ports/limits";
import type { ManifestEntry, ManifestPage } from "@graviton/ports/manifest";
import { StorageError } from "@graviton/ports/storage-error";
import type { ManifestPageSchema, ManifestPage as WireManifestPage } from "@graviton/proto/graviton/core/v1/core_pb";
import { algorithmFromWire, algorithmToWire, countFromWire } from "./convert.ts";

/**
 * Packs a page. Its entries must be consecutive and named by one algorithm, as those of every manifest are: the packed
 * form has no room for anything else.
 */
export function pageToWire(page: ManifestPage): MessageInitShape<typeof ManifestPageSchema> {
  const digests = Buffer.allocUnsafe(page.length * digestBytes);
  for (const [n, { block }] of page.entries()) digests.write(block.digest, n * digestBytes, "hex");
  const [first] = page;
  return {
    algorithm: algorithmToWire(first?.block.algorithm),
    firstIndex: BigInt(first?.index ?? 0),
    firstOffset: BigInt(first?.offset ?? 0),
    digests,
    sizes: page.map(({ block }) => block.size),
  };
}

/** @throws StorageError INVALID_ARGUMENT for a page that no manifest has */
export function pageFromWire(wire: WireManifestPage): ManifestPage {
  const { sizes, digests } = wire;
  if (sizes.length > manifestPageEntries) {
    throw invalid(`${sizes.length} entries are over manifestPageEntries, ${manifestPageEntries}`);
  }
  if (digests.length !== sizes.length * digestBytes) {
    throw invalid(`${digests.length} bytes of digests do not make ${sizes.length} entries`);
  }
  if (sizes.length === 0) return [];
  const algorithm = algorithmFromWire(wire.algorithm);
  if (algorithm === undefined) throw invalid("it needs its algorithm: BLAKE3 or SHA256");
  const hex = Buffer.from(digests.buffer, digests.byteOffset, digests.length).toString("hex");
  const firstIndex = countFromWire(wire.firstIndex, "first index");
  let offset = countFromWire(wire.firstOffset, "first offset");
  return sizes.map((size, n): ManifestEntry => {
    if (size < 1 || size > blockBytesMax) throw invalid(`a block has 1 to ${blockBytesMax} bytes, not ${size}`);
    const digest = hex.slice(n * digestBytes * 2, (n + 1) * digestBytes * 2);
    const block: Key = makeKey(algorithm, digest, size);
    const entry = { index: firstIndex + n, offset, block };
    offset += size;
    return entry;
  });
}

/** Entries cut into pages that fit a message. */
export function* pagesOf(entries: readonly ManifestEntry[]): Generator<ManifestPage, void, void> {
  for (let from = 0; from < entries.length; from += manifestPageEntries) {
    yield entries.slice(from, from + manifestPageEntries);
  }
}

function invalid(what: string): StorageError {
  return new StorageError("INVALID_ARGUMENT", `malformed manifest page: ${what}`);
}
