import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Key } from "@graviton/ports/key";
import { manifestPageEntries } from "@graviton/ports/limits";
import { describe, expect, test } from "@jest/globals";
import { ManifestBuilder } from "./manifest-builder.ts";

describe("ManifestBuilder", () => {
  test.each([0, 1, manifestPageEntries - 1, manifestPageEntries, manifestPageEntries + 1, 5 * manifestPageEntries + 7])(
    "gives back %i entries in order, in full pages, with two pages in memory",
    async (count) => {
      await using builder = new ManifestBuilder("sha256", 2);
      for (let index = 0; index < count; index += 1) await builder.append(block(index));
      const pages = await Array.fromAsync(builder.pages());
      expect(pages.slice(0, -1).every((page) => page.length === manifestPageEntries)).toBe(true);
      const entries = pages.flat();
      expect(entries.length).toBe(count);
      let offset = 0;
      for (const [index, entry] of entries.entries()) {
        expect(entry).toEqual({ index, offset, block: block(index) });
        offset += entry.block.size;
      }
      expect(builder.size).toBe(offset);
      expect(builder.blockCount).toBe(count);
    },
  );

  test("leaves no file behind", async () => {
    const parent = await mkdtemp(join(tmpdir(), "graviton-test-"));
    {
      await using builder = new ManifestBuilder("sha256", 1, parent);
      for (let index = 0; index < 3 * manifestPageEntries; index += 1) await builder.append(block(index));
      expect(await readdir(parent)).toHaveLength(1);
    }
    expect(await readdir(parent)).toEqual([]);
    await rm(parent, { recursive: true });
  });
});

function block(index: number): Key {
  return { algorithm: "sha256", digest: index.toString(16).padStart(64, "0"), size: 1 + (index % 100) };
}
