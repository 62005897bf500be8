import { Code, ConnectError } from "@connectrpc/connect";
import { type Reason, StorageError, type StorageErrorDetail } from "@graviton/ports/storage-error";
import {
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "@graviton/proto/google/rpc/error_details_pb";
import { describe, expect, test } from "@jest/globals";
import { codeOfReason, errorDomain, fromWire, missingOnWireMax, toWire } from "./errors.ts";
import { errorOf, statusOf } from "./status.ts";

const reasons = Object.keys(codeOfReason) as Reason[];
const key = `blake3:${"ab".repeat(32)}:1024`;

/** The error after a round over the wire, as bytes in trailers. */
function crossed(error: unknown): StorageError {
  return fromWire(errorOf(statusOf(toWire(error))), "example.org:7480");
}

describe.each(reasons)("An error of reason %s", (reason) => {
  const details: [string, StorageErrorDetail][] = [
    ["no details", {}],
    ["a resource", { resource: key }],
    ["a time to retry after", { retryAfterMs: 1500 }],
    ["a list of missing blocks", { missing: [key, key.replace("ab", "cd")] }],
    ["everything", { resource: "s3://bucket/päth", retryAfterMs: 0.25, missing: [] }],
  ];

  test.each(details)("with %s comes over the wire as it was", (_, detail) => {
    const error = new StorageError(reason, `what happened: 100 % of “${key}”\nand more`, detail);
    for (const received of [crossed(error), fromWire(toWire(error))]) {
      const { reason, message, resource, retryAfterMs, missing } = received;
      expect({ reason, message, resource, retryAfterMs, missing }).toEqual({
        reason: error.reason,
        message: error.message,
        resource: error.resource,
        retryAfterMs: error.retryAfterMs,
        missing: error.missing,
      });
    }
  });

  test("has the code of the table and google.rpc.ErrorInfo", () => {
    const wire = errorOf(statusOf(toWire(new StorageError(reason, "no", { resource: key }))));
    expect(wire.code).toBe(codeOfReason[reason]);
    expect(wire.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason, domain: errorDomain, metadata: { resource: key } },
    ]);
  });

  test("never takes its cause along", () => {
    const cause = new Error("password=secret");
    const status = statusOf(toWire(new StorageError(reason, "no", { cause })));
    expect(JSON.stringify(status) + status.metadata.get("grpc-status-details-bin").toString()).not.toContain("secret");
    expect(toWire(new StorageError(reason, "no", { cause })).cause).toBeUndefined();
  });

  test("of which only the code arrives, from a server of another make, has a reason of the same code", () => {
    const received = fromWire(new ConnectError("no", codeOfReason[reason]));
    expect(toWire(received).code).toBe(codeOfReason[reason]);
  });

  test("from a newer server, with a reason not known here, falls back on the code", () => {
    const info = { desc: ErrorInfoSchema, value: { reason: "QUOTA_OF_TOMORROW", domain: errorDomain } };
    const newer = new ConnectError("no", codeOfReason[reason], undefined, [info]);
    const received = fromWire(errorOf(statusOf(newer)));
    expect(toWire(received).code).toBe(codeOfReason[reason]);
    expect(received.message).toBe("no");
  });
});

test("The table has a code for every reason that architecture names", () => {
  expect(codeOfReason).toMatchObject({ MISSING_BLOCKS: Code.FailedPrecondition, CONFLICT: Code.Aborted });
  expect(reasons).toHaveLength(16);
});

test("Reasons whose codes they share are told apart by ErrorInfo", () => {
  for (const reason of ["INVALID_ARGUMENT", "HASH_MISMATCH", "TOO_LARGE"] as const) {
    expect(crossed(new StorageError(reason, "no")).reason).toBe(reason);
  }
});

test.each([
  ["an Error", new Error("SELECT * FROM secrets")],
  ["a TypeError", new TypeError("undefined is not a function")],
  ["a string", "secret"],
  ["nothing", undefined],
])("A failure that is %s reaches the client as an internal error and no more", (_, failure) => {
  const wire = toWire(failure);
  expect(wire).toMatchObject({ code: Code.Internal, rawMessage: "internal error", details: [] });
  expect(wire.cause).toBeUndefined();
  const received = crossed(failure);
  expect(received).toMatchObject({ reason: "UNAVAILABLE", resource: "example.org:7480", retryAfterMs: undefined });
  expect(received.message).toContain("internal error");
});

test.each([
  [Code.Unavailable, "UNAVAILABLE", /example\.org:7480.*check/],
  [Code.DeadlineExceeded, "DEADLINE_EXCEEDED", /deadline/],
  [Code.Canceled, "CANCELLED", /cancelled/],
] as const)("A bare status %i of grpc-js is %s with a message of ours", (code, reason, message) => {
  const received = fromWire(new ConnectError("14 Lorem ipsum", code), "example.org:7480");
  expect(received).toMatchObject({ reason, resource: "example.org:7480" });
  expect(received.message).toMatch(message);
});

test("A StorageError is given back as it is", () => {
  const error = new StorageError("CORRUPT", "no");
  expect(fromWire(error)).toBe(error);
});

test("A time to retry after travels as google.rpc.RetryInfo, missing blocks as google.rpc.PreconditionFailure", () => {
  const wire = toWire(new StorageError("MISSING_BLOCKS", "no", { retryAfterMs: 2500, missing: [key] }));
  expect(wire.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 2n, nanos: 500_000_000 } }]);
  expect(wire.findDetails(PreconditionFailureSchema)).toMatchObject([
    { violations: [{ type: "BLOCK_MISSING", subject: key }] },
  ]);
});

test("The largest error fits the 8 KiB of trailers that the strictest client takes", () => {
  const missing = Array.from({ length: 1000 }, (_, n) => `blake3:${n.toString(16).padStart(64, "0")}:16777216`);
  const message = `blocks are missing: ${"ü".repeat(5000)}`;
  const { details, metadata } = statusOf(
    toWire(new StorageError("MISSING_BLOCKS", message.slice(0, 300), { missing })),
  );
  const [bytes] = metadata.get("grpc-status-details-bin");
  const length = encodeURI(details).length + Math.ceil((bytes as Buffer).length / 3) * 4;
  expect(length).toBeLessThan(8192);
  expect(crossed(new StorageError("MISSING_BLOCKS", "no", { missing })).missing).toEqual(
    missing.slice(0, missingOnWireMax),
  );
});

test("Text that is not well-formed Unicode does not stop an error on its way", () => {
  const received = crossed(new StorageError("INVALID_ARGUMENT", "key \ud800 is malformed", { resource: "\udc00" }));
  expect(received).toMatchObject({ message: "key \ufffd is malformed", resource: "\ufffd" });
});
