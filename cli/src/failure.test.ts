import { localFileError } from "@graviton/client/local-file-error";
import { type Reason, StorageError } from "@graviton/ports/storage-error";
import { expect, test } from "@jest/globals";
import { CommandError, concernsOneItem, failureOf, usageError } from "./failure.ts";

test.each<[Reason, number]>([
  ["NOT_FOUND", 3],
  ["INVALID_ARGUMENT", 2],
  ["HASH_MISMATCH", 4],
  ["CORRUPT", 4],
  ["UNAVAILABLE", 5],
  ["DEADLINE_EXCEEDED", 5],
  ["UNAUTHENTICATED", 6],
  ["PERMISSION_DENIED", 6],
  ["EXHAUSTED", 7],
  ["CONFLICT", 1],
])("%s exits with %d", (reason, exitCode) => {
  const failure = failureOf(new StorageError(reason, "what happened", { resource: "what" }));
  expect(failure).toEqual({ exitCode, reason, message: "what happened", resource: "what" });
});

test("A failure is one line that no terminal obeys, whatever the error says", () => {
  const { message } = failureOf(new Error("first\n  second\u001b[2J\u009b\r\n"));
  expect(message).toBe("unexpected: first second\\u001b[2J\\u009b");
});

test("A command line that is not understood exits with 2", () => {
  expect(failureOf(usageError("these do not go together")).exitCode).toBe(2);
});

test("What concerns one item lets the others go on, and what concerns all does not", () => {
  expect(concernsOneItem(new StorageError("NOT_FOUND", "no such blob"))).toBe(true);
  expect(concernsOneItem(new CommandError("FAILED", "cannot read"))).toBe(true);
  for (const reason of ["UNAVAILABLE", "EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"] as const) {
    expect(concernsOneItem(new StorageError(reason, "nobody answers"))).toBe(false);
  }
  expect(concernsOneItem(new TypeError("a bug"))).toBe(false);
});

test.each([
  ["EACCES", 6],
  ["EIO", 5],
])("A local file that fails with %s concerns no other file, and exits with %d", (code, exitCode) => {
  const error = localFileError(Object.assign(new Error("refused"), { code }), "read", "some file");
  expect(concernsOneItem(error)).toBe(true);
  expect(failureOf(error)).toMatchObject({ exitCode, resource: "some file" });
});
