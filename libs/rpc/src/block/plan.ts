import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BlockWritePlan } from "@graviton/ports/plan";
import type { BlockWritePlanSchema, BlockWritePlan as WirePlan } from "@graviton/proto/graviton/block/v1/block_pb";
import { algorithmFromWire, algorithmToWire, duplicatesFromWire, duplicatesToWire } from "../convert.ts";

/** The plan as the wire carries it; what the writer left open stays open for the server. */
export function planToWire({
  algorithm,
  duplicates,
  framing,
}: BlockWritePlan): MessageInitShape<typeof BlockWritePlanSchema> {
  return {
    algorithm: algorithmToWire(algorithm),
    duplicates: duplicatesToWire(duplicates),
    cutEveryBytes: framing?.kind === "fixed" ? framing.blockBytes : 0,
  };
}

/** @throws StorageError INVALID_ARGUMENT for unknown enum values; bounds are the port's to check */
export function planFromWire({ algorithm, duplicates, cutEveryBytes }: WirePlan): BlockWritePlan {
  return {
    algorithm: algorithmFromWire(algorithm),
    duplicates: duplicatesFromWire(duplicates),
    framing: cutEveryBytes === 0 ? { kind: "whole" } : { kind: "fixed", blockBytes: cutEveryBytes },
  };
}
