import type { MessageInitShape } from "@bufbuild/protobuf";
import { formatLocator, parseLocator } from "@graviton/ports/locator";
import type { BlobWritePlan, ChunkerPlan } from "@graviton/ports/plan";
import type { BlobWritePlanSchema, BlobWritePlan as WirePlan } from "@graviton/proto/graviton/blob/v1/blob_pb";
import {
  algorithmFromWire,
  algorithmToWire,
  attributesFromWire,
  attributesToWire,
  duplicatesFromWire,
  duplicatesToWire,
  keyFromWire,
  keyToWire,
} from "../convert.ts";

/** The plan as the wire carries it; what the writer left open stays open for the server. */
export function planToWire(plan: BlobWritePlan): MessageInitShape<typeof BlobWritePlanSchema> {
  const { chunker, algorithm, attributes, expected, locatorHint, duplicates } = plan;
  return {
    ...(chunker === undefined ? {} : { chunker: chunkerToWire(chunker) }),
    algorithm: algorithmToWire(algorithm),
    ...(attributes === undefined ? {} : { attributes: attributesToWire(attributes) }),
    ...(expected === undefined ? {} : { expected: keyToWire(expected) }),
    locatorHint: locatorHint === undefined ? "" : formatLocator(locatorHint),
    duplicates: duplicatesToWire(duplicates),
  };
}

/** @throws StorageError INVALID_ARGUMENT for malformed parts; bounds are the port's to check */
export function planFromWire(wire: WirePlan): BlobWritePlan {
  return {
    chunker: chunkerFromWire(wire.chunker),
    algorithm: algorithmFromWire(wire.algorithm),
    attributes: attributesFromWire(wire.attributes),
    expected: wire.expected === undefined ? undefined : keyFromWire(wire.expected),
    locatorHint: wire.locatorHint === "" ? undefined : parseLocator(wire.locatorHint),
    duplicates: duplicatesFromWire(wire.duplicates),
  };
}

type WireChunker = NonNullable<MessageInitShape<typeof BlobWritePlanSchema>["chunker"]>;

function chunkerToWire(chunker: ChunkerPlan): WireChunker {
  switch (chunker.kind) {
    case "fastcdc": {
      const { averageBytes = 0, minimumBytes = 0, maximumBytes = 0, normalization, seed = 0n } = chunker;
      const sizes = { averageBytes, minimumBytes, maximumBytes, seed };
      return { case: "fastcdc", value: normalization === undefined ? sizes : { ...sizes, normalization } };
    }
    case "fixed":
      return { case: "fixed", value: { blockBytes: chunker.blockBytes ?? 0 } };
    case "delimiter": {
      const { delimiter = new Uint8Array(), include = true, maximumBytes = 0 } = chunker;
      return { case: "delimiter", value: { delimiter, exclude: !include, maximumBytes } };
    }
  }
}

function chunkerFromWire(wire: WirePlan["chunker"]): ChunkerPlan | undefined {
  switch (wire.case) {
    case "fastcdc": {
      const { averageBytes, minimumBytes, maximumBytes, normalization, seed } = wire.value;
      return {
        kind: "fastcdc",
        averageBytes: averageBytes || undefined,
        minimumBytes: minimumBytes || undefined,
        maximumBytes: maximumBytes || undefined,
        normalization,
        seed,
      };
    }
    case "fixed":
      return { kind: "fixed", blockBytes: wire.value.blockBytes || undefined };
    case "delimiter": {
      const { delimiter, exclude, maximumBytes } = wire.value;
      return {
        kind: "delimiter",
        delimiter: delimiter.length === 0 ? undefined : delimiter,
        include: !exclude,
        maximumBytes: maximumBytes || undefined,
      };
    }
    default:
      return undefined;
  }
}
