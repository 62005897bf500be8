import type { BlobInfo } from "@graviton/ports/blob-store";
import { formatKey } from "@graviton/ports/key";
import { printable } from "./printable.ts";
import { formatSize } from "./sizes.ts";

/** A blob as `--json` prints it. */
export function blobRecord({ advertised, confirmed }: BlobInfo) {
  return {
    key: formatKey(confirmed.key),
    size: confirmed.key.size,
    blocks: confirmed.blockCount,
    createdAt: new Date(confirmed.createdAt).toISOString(),
    attributes: advertised,
  };
}

/** A blob in one line: key, size, when it was stored, name. */
export function blobLine({ advertised, confirmed }: BlobInfo): string {
  const parts = [formatKey(confirmed.key), formatSize(confirmed.key.size), new Date(confirmed.createdAt).toISOString()];
  return [...parts, printable(advertised.name ?? "")].join("\t").trimEnd();
}

/** All that is known of a blob, a line each; locators are where its blocks are, where that is known. */
export function blobText({ advertised, confirmed }: BlobInfo, locators: readonly string[]): string {
  const { contentType, name, custom = {} } = advertised;
  const lines = [
    ["key", formatKey(confirmed.key)],
    ["size", `${confirmed.key.size} (${formatSize(confirmed.key.size)})`],
    ["blocks", String(confirmed.blockCount)],
    ["created", new Date(confirmed.createdAt).toISOString()],
    ...locators.map((locator) => ["stored in", locator]),
    ...(name === undefined ? [] : [["name", name]]),
    ...(contentType === undefined ? [] : [["content type", contentType]]),
    ...Object.entries(custom),
  ];
  return lines.map(([label = "", text = ""]) => `${`${printable(label)}:`.padEnd(14)} ${printable(text)}`).join("\n");
}
