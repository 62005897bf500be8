import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { keyOf } from "@graviton/cas/hasher";
import type { Locator } from "@graviton/ports/locator";
import { describe, expect, test } from "@jest/globals";
import { S3BlockDriver } from "./block-driver.ts";
import { S3Bucket } from "./bucket.ts";
import type { S3Config } from "./config.ts";
import { s3Error } from "./errors.ts";
import { S3ObjectStore } from "./object-store.ts";
import { answeringProxy } from "./testing/answering-proxy.ts";
import { describeS3 } from "./testing/describe-s3.ts";
import { ownPrefix } from "./testing/s3-subject.ts";

const bytes = Buffer.from("abc");
const key = keyOf("blake3", bytes);
const locator: Locator = { scheme: "s3", bucket: "b", path: "a" };

/** Every way to ask an S3, each of which has to tell a server's fault from an absence. */
const questions: Record<string, (bucket: S3Bucket) => Promise<unknown>> = {
  check: (bucket) => bucket.check(),
  "has a block": (bucket) => new S3BlockDriver(bucket).has([key]),
  "read a block": (bucket) => new S3BlockDriver(bucket).read(key),
  "write a block": (bucket) => new S3BlockDriver(bucket).write(key, bytes),
  "remove a block": (bucket) => new S3BlockDriver(bucket).remove(key),
  "head an object": (bucket) => new S3ObjectStore(bucket).head(locator),
  "get an object": (bucket) => Array.fromAsync(new S3ObjectStore(bucket).get(locator)),
  "list objects": (bucket) => Array.fromAsync(new S3ObjectStore(bucket).list(locator)),
  "put an object": (bucket) => new S3ObjectStore(bucket).put(locator, one(bytes)),
  "delete an object": (bucket) => new S3ObjectStore(bucket).delete(locator),
  "copy an object": (bucket) => new S3ObjectStore(bucket).copy(locator, { ...locator, path: "c" }),
};

describeS3("Errors of S3", (s3) => {
  const wrong: Record<string, [change: () => Partial<S3Config>, says: RegExp]> = {
    "an access key that S3 does not know": [
      () => ({ credentials: { accessKeyId: "stranger", secretAccessKey: s3().secretAccessKey } }),
      /refuses the credentials/,
    ],
    "a wrong secret": [
      () => ({ credentials: { accessKeyId: s3().accessKeyId, secretAccessKey: "s3cret" } }),
      /refuses the credentials/,
    ],
    "a bucket that is not there": [() => ({ bucket: "nowhere-to-be-found" }), /does not have the bucket: create it/],
  };

  test.each(Object.entries(wrong))("With %s everything is UNAVAILABLE and says so.", async (_, [change, says]) => {
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), ...change() });
    const failures = await failuresOf(bucket);
    for (const failure of Object.values(failures)) {
      expect(failure).toMatchObject({ reason: "UNAVAILABLE", resource: "S3" });
      expect(failure.message).toMatch(says);
      expect(failure.message).not.toMatch(/nowhere|stranger|s3cret/);
    }
  });

  test("An object that S3 does not have is absent, also where the answer does not say what is not found.", async () => {
    await using proxy = await answeringProxy(s3().endpoint);
    proxy.answer = async (request) => {
      const answer = await request.forward();
      const isAbsent = answer.status === 404 || request.method === "DELETE";
      return isAbsent ? { status: 404 } : answer;
    };
    await using bucket = S3Bucket.open({ ...ownPrefix(s3()), endpoint: proxy.endpoint });
    const [driver, store] = [new S3BlockDriver(bucket), new S3ObjectStore(bucket)];
    expect(await driver.read(key)).toBe(undefined);
    await driver.remove(key);
    await expect(Array.fromAsync(store.get(locator))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(store.copy(locator, { ...locator, path: "c" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await store.delete(locator);
  });

  test("A check of a bucket that is there succeeds.", async () => {
    await using bucket = S3Bucket.open(ownPrefix(s3()));
    expect(await bucket.check()).toBe(undefined);
  });
});

describe("Without an S3", () => {
  test("opening succeeds, and everything is UNAVAILABLE with the network's code, which names no endpoint.", async () => {
    const port = await freePort();
    await using bucket = S3Bucket.open({ ...nobody, endpoint: `http://127.0.0.1:${port}` });
    for (const failure of Object.values(await failuresOf(bucket))) {
      expect(failure).toMatchObject({ reason: "UNAVAILABLE", resource: "S3" });
      expect(failure.message).toContain("ECONNREFUSED");
      expect(failure.message).not.toContain(String(port));
    }
  });

  test("a host of several addresses, or of none, is UNAVAILABLE with the network's code.", async () => {
    for (const [host, code] of [
      ["localhost", "ECONNREFUSED"],
      ["no-such-host.invalid", /ENOTFOUND|EAI_AGAIN/],
    ] as const) {
      await using bucket = S3Bucket.open({ ...nobody, endpoint: `http://${host}:${await freePort()}` });
      await expect(bucket.check()).rejects.toMatchObject({
        reason: "UNAVAILABLE",
        message: expect.stringMatching(code),
      });
    }
  });

  test("what answers but is no S3 is UNAVAILABLE.", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    });
    await using bucket = S3Bucket.open({ ...nobody, endpoint: `http://127.0.0.1:${await listening(server)}` });
    await expect(bucket.check()).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: "S3" });
    server.close();
  });

  test.each(Object.entries(questions))("what finds nothing at all is no S3: %s.", async (_, ask) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    });
    await using bucket = S3Bucket.open({ ...nobody, endpoint: `http://127.0.0.1:${await listening(server)}` });
    await expect(ask(bucket)).rejects.toMatchObject({ reason: "UNAVAILABLE", resource: "S3" });
    server.close();
  });

  test("what knows no ranges gives no bytes for a range rather than others.", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    });
    await using bucket = S3Bucket.open({ ...nobody, endpoint: `http://127.0.0.1:${await listening(server)}` });
    await using store = new S3ObjectStore(bucket);
    for (const range of [{ offset: 1 }, { offset: 0, length: 4 }]) {
      await expect(Array.fromAsync(store.get(locator, range))).rejects.toMatchObject({ reason: "UNAVAILABLE" });
    }
    expect(Buffer.concat(await Array.fromAsync(store.get(locator))).toString()).toBe("hello");
    server.close();
  });

  test("a request to one that is silent ends with its signal.", async () => {
    const server = createServer((socket) => void socket.on("error", () => {}));
    await using bucket = S3Bucket.open({ ...nobody, endpoint: `http://127.0.0.1:${await listening(server)}` });
    const abort = new AbortController();
    const cancelled = expect(bucket.check(abort.signal)).rejects.toMatchObject({ reason: "CANCELLED" });
    const late = expect(bucket.check(AbortSignal.timeout(10))).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    await once(server, "connection");
    abort.abort();
    await Promise.all([cancelled, late]);
    server.close();
  });
});

test.each([
  ["SlowDown", 503, "EXHAUSTED", 1000],
  ["ServiceUnavailable", 503, "EXHAUSTED", 1000],
  ["TooManyRequests", 429, "EXHAUSTED", 1000],
  ["XMinioStorageFull", 507, "EXHAUSTED", 2000],
  ["Unknown", 507, "EXHAUSTED", 2000],
  ["EntityTooLarge", 400, "TOO_LARGE", undefined],
  ["NoSuchUpload", 404, "CONFLICT", undefined],
  ["KeyTooLongError", 400, "INVALID_ARGUMENT", undefined],
  ["OperationAborted", 409, "CONFLICT", undefined],
  ["ConditionalRequestConflict", 409, "CONFLICT", undefined],
  ["AccessDenied", 403, "UNAVAILABLE", 2000],
  ["ExpiredToken", 400, "UNAVAILABLE", 2000],
  ["RequestTimeTooSkewed", 403, "UNAVAILABLE", 2000],
  ["PermanentRedirect", 301, "UNAVAILABLE", 2000],
  ["BadDigest", 400, "UNAVAILABLE", 1000],
  ["InternalError", 500, "UNAVAILABLE", 2000],
  ["NotImplemented", 501, "UNAVAILABLE", 2000],
])("S3's %s with status %i is %s.", (name, status, reason, retryAfterMs) => {
  const cause = Object.assign(new Error("about the bucket precious"), { name, $metadata: { httpStatusCode: status } });
  const error = s3Error(cause);
  expect(error).toMatchObject({ reason, retryAfterMs, resource: "S3", cause });
  expect((error as Error).message).not.toContain("precious");
});

test("An error that is no answer of S3 and none of the network comes back as it is.", () => {
  const bug = new TypeError("undefined is not a function");
  expect(s3Error(bug)).toBe(bug);
});

describe("A configuration that no S3 could be reached with is INVALID_ARGUMENT at once:", () => {
  test.each([
    ["an endpoint that is no URL", { endpoint: "127.0.0.1:9000" }],
    ["an endpoint of another protocol", { endpoint: "ftp://host" }],
    ["an endpoint with a password", { endpoint: "http://someone:s3cret@host" }],
    ["no bucket", { bucket: "" }],
    ["a bucket that leads elsewhere", { bucket: "a/../b" }],
    ["a prefix that leads elsewhere", { prefix: "../a/" }],
    ["a prefix that begins with a slash", { prefix: "/a" }],
    ["a prefix that leaves no room for keys", { prefix: "x".repeat(65) }],
    ["a single request", { requestsMax: 1 }],
  ])("%s.", (_, change) => {
    const opening = () => S3Bucket.open({ ...nobody, ...change });
    expect(opening).toThrow(expect.objectContaining({ reason: "INVALID_ARGUMENT" }));
    expect(opening).not.toThrow(/s3cret/);
  });
});

const nobody = { bucket: "graviton", credentials: { accessKeyId: "nobody", secretAccessKey: "nothing" } };

/** What each question fails with. */
async function failuresOf(bucket: S3Bucket): Promise<Record<string, Error>> {
  const asked = Object.entries(questions).map(async ([name, ask]) => {
    const failure = await ask(bucket).then(
      () => new Error(`${name} did not fail`),
      (error: unknown) => error as Error,
    );
    return [name, failure] as const;
  });
  return Object.fromEntries(await Promise.all(asked));
}

async function* one(frame: Uint8Array): AsyncGenerator<Uint8Array> {
  yield frame;
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A port that nobody listens at. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}
