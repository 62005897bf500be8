import type { BlockInput, BlockStore, PutBlocksEvent } from "@graviton/ports/block-store";
import { formatLocator, type Locator } from "@graviton/ports/locator";
import { BlockService, BlockStatus } from "@graviton/proto/graviton/block/v1/block_pb";
import { keyFromWire, keyToWire, rangeFromWire } from "../convert.ts";
import { framesOf, openUpload } from "../frames.ts";
import { pagesOf, pageToWire } from "../manifest-page.ts";
import { callOptions, defineRoutes, type Routes, type RoutesOptions } from "../routes.ts";
import { assembledBlocks, type BlockPart } from "./block-parts.ts";
import { planFromWire } from "./plan.ts";

/** What the block service needs besides its store. */
export interface BlockRoutesOptions extends RoutesOptions {
  /** The locator below which the store keeps its blocks. Services with the same one can stand in for each other. */
  readonly location?: Locator | undefined;
}

/** BlockService over a BlockStore. */
export function blockRoutes(store: BlockStore, options: BlockRoutesOptions = {}): Routes<typeof BlockService> {
  return defineRoutes(
    BlockService,
    {
      async *putBlocks(requests, context) {
        const { header, rest } = await openUpload(requests, "plan");
        const events = store.putBlocks(planFromWire(header), uploadedBlocks(rest), callOptions(context));
        for await (const event of events) yield* eventToWire(event);
      },

      async *getBlock({ key, range }, context) {
        const bytes = await store.get(keyFromWire(key), rangeFromWire(range), callOptions(context));
        for (const frame of framesOf(bytes)) yield { frame };
      },

      async *getBlocks({ keys }, context) {
        for await (const { key, bytes } of store.getMany(keys.map(keyFromWire), callOptions(context))) {
          const header = { key: keyToWire(key), size: bytes.length };
          yield { part: { case: "header" as const, value: header } };
          for (const frame of framesOf(bytes)) yield { part: { case: "frame" as const, value: frame } };
        }
      },

      async blocksExist({ keys }, context) {
        return { exist: await store.exists(keys.map(keyFromWire), callOptions(context)) };
      },

      async deleteBlocks({ keys }, context) {
        await store.delete(keys.map(keyFromWire), callOptions(context));
        return {};
      },

      async getLocation() {
        return { locator: options.location === undefined ? "" : formatLocator(options.location) };
      },
    },
    options,
  );
}

async function* uploadedBlocks(parts: AsyncIterable<BlockPart>): AsyncGenerator<BlockInput, void, void> {
  for await (const { header, bytes } of assembledBlocks(parts)) {
    yield { bytes, owned: true, ...(header.key === undefined ? {} : { key: keyFromWire(header.key) }) };
  }
}

function* eventToWire(event: PutBlocksEvent) {
  if (event.kind === "stored") {
    const status = event.status === "FRESH" ? BlockStatus.FRESH : BlockStatus.DUPLICATE;
    yield { part: { case: "stored" as const, value: { key: keyToWire(event.key), status } } };
    return;
  }
  for (const page of pagesOf(event.entries)) yield { part: { case: "page" as const, value: pageToWire(page) } };
}
