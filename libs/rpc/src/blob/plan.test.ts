import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type BlobWritePlan, resolveBlobWritePlan } from "@graviton/ports/plan";
import { BlobWritePlanSchema } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { expect, test } from "@jest/globals";
import { planFromWire, planToWire } from "./plan.ts";

const digest = "ef".repeat(32);

test.each<[string, BlobWritePlan]>([
  ["that leaves everything open", {}],
  ["with fastcdc and its defaults", { chunker: { kind: "fastcdc" } }],
  [
    "with every setting of fastcdc",
    {
      chunker: {
        kind: "fastcdc",
        averageBytes: 65_536,
        minimumBytes: 64,
        maximumBytes: 1_000_000,
        normalization: 0,
        seed: 2n ** 64n - 1n,
      },
    },
  ],
  ["with fixed blocks", { chunker: { kind: "fixed" } }],
  ["with fixed blocks of one byte", { chunker: { kind: "fixed", blockBytes: 1 } }],
  ["with a delimiter", { chunker: { kind: "delimiter" } }],
  [
    "with every setting of a delimiter",
    { chunker: { kind: "delimiter", delimiter: Uint8Array.of(0), include: false, maximumBytes: 1024 } },
  ],
  [
    "with everything else",
    {
      algorithm: "sha256",
      attributes: { contentType: "text/plain", name: "a", custom: { b: "c" } },
      expected: { algorithm: "sha256", digest, size: 5 },
      locatorHint: { scheme: "s3", bucket: "bucket", path: "a/b" },
      duplicates: "rewrite",
    },
  ],
])("A plan %s means the same on the other side", (_, plan) => {
  const bytes = toBinary(BlobWritePlanSchema, create(BlobWritePlanSchema, planToWire(plan)));
  const received = planFromWire(fromBinary(BlobWritePlanSchema, bytes));
  expect(resolveBlobWritePlan(received)).toEqual(resolveBlobWritePlan(plan));
});
