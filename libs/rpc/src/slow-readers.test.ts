import { once } from "node:events";
import { type ClientHttp2Stream, connect, constants } from "node:http2";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { ServiceImpl } from "@connectrpc/connect";
import type { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { describe, expect, test } from "@jest/globals";
import { blobRoutesInPart, frame, receipt } from "./blob-routes-in-part.ts";
import { callOptions } from "./routes.ts";
import { serveGrpc } from "./server.ts";

/** A gRPC message without content. */
const emptyMessage = Buffer.alloc(5);

interface Unread extends AsyncDisposable {
  /** A call that nobody reads. */
  readonly stream: ClientHttp2Stream;
}

describe("A client who takes nothing", () => {
  test("holds what a stream gave it until it goes away, also after the last byte", async () => {
    const ended = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await using call = await unread("GetBlob", {
      async *getBlob(_, context) {
        yield { frame };
        ended.resolve();
        await callOptions(context).released?.();
        released.resolve();
      },
    });
    await ended.promise;
    const first = await Promise.race([released.promise.then(() => "released"), turns(20)]);
    expect(first).toBe("held");
    call.stream.close();
    await released.promise;
  });

  test("loses the call a second after its deadline, and with it what was on its way", async () => {
    const endless: Partial<ServiceImpl<typeof BlobService>> = {
      async *getBlob() {
        for (;;) yield { frame };
      },
    };
    await using call = await unread("GetBlob", endless, { headers: { "grpc-timeout": "50m" } });
    await closed(call.stream);
    expect(call.stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });

  test("loses the call when it stands still for too long, though its connection lives", async () => {
    const released = Promise.withResolvers<void>();
    const one: Partial<ServiceImpl<typeof BlobService>> = {
      async *getBlob(_, context) {
        yield { frame };
        await callOptions(context).released?.();
        released.resolve();
      },
    };
    await using call = await unread("GetBlob", one, { silenceMsMax: 100 });
    const pings = setInterval(() => call.stream.session?.ping(() => {}), 10);
    call.stream.once("close", () => clearInterval(pings));
    await closed(call.stream);
    expect(call.stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await released.promise;
  });
});

describe("A client who sends nothing, and has not finished", () => {
  test("loses the call when it stands still for too long", async () => {
    const heard = Promise.withResolvers<unknown>();
    const reading: Partial<ServiceImpl<typeof BlobService>> = {
      async putBlob(requests) {
        try {
          for await (const _ of requests);
        } catch (error) {
          heard.resolve(error);
        }
        return {};
      },
    };
    await using call = await unread("PutBlob", reading, { silenceMsMax: 100, open: true });
    await closed(call.stream);
    expect(call.stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(await heard.promise).toMatchObject({ reason: "CANCELLED" });
  });
});

test("A client who waits for a slow answer keeps its call", async () => {
  const answer = Promise.withResolvers<void>();
  await using call = await unread(
    "GetBlob",
    {
      async *getBlob() {
        await answer.promise;
        yield { frame: Buffer.of(1) };
      },
    },
    { silenceMsMax: 50 },
  );
  // The limit passes several times.
  await sleep(300);
  expect(call.stream.closed).toBe(false);
  call.stream.resume();
  answer.resolve();
  await once(call.stream, "end");
  expect(call.stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
});

describe("A client who moves a little at a time keeps its call", () => {
  const silenceMsMax = 300;
  const little = Buffer.alloc(16 * 1024);

  test("when it sends", async () => {
    const counting: Partial<ServiceImpl<typeof BlobService>> = {
      async putBlob(requests) {
        for await (const _ of requests);
        return receipt;
      },
    };
    await using call = await unread("PutBlob", counting, { silenceMsMax, open: true });
    for (let sent = 0; sent < 50; sent += 1) {
      call.stream.write(emptyMessage);
      await sleep(20);
    }
    call.stream.end().resume();
    await closed(call.stream);
    expect(call.stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("when it takes", async () => {
    const endless: Partial<ServiceImpl<typeof BlobService>> = {
      async *getBlob() {
        for (;;) yield { frame: little };
      },
    };
    await using call = await unread("GetBlob", endless, { silenceMsMax });
    call.stream.on("data", () => {
      call.stream.pause();
      setTimeout(() => call.stream.resume(), 5);
    });
    await sleep(1000);
    expect(call.stream.closed).toBe(false);
  });
});

interface UnreadOptions {
  readonly silenceMsMax?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the client has more to send. */
  readonly open?: boolean;
}

async function unread(
  method: string,
  implementation: Partial<ServiceImpl<typeof BlobService>>,
  { silenceMsMax, headers, open = false }: UnreadOptions = {},
): Promise<Unread> {
  const server = await serveGrpc({
    routes: [blobRoutesInPart(implementation)],
    host: "127.0.0.1",
    port: 0,
    silenceMsMax,
  });
  const session = connect(`http://${server.address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": `/graviton.blob.v1.BlobService/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  stream.write(emptyMessage);
  if (!open) stream.end();
  return {
    stream,
    async [Symbol.asyncDispose]() {
      session.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Whether in good order or not. */
function closed(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => stream.once("close", resolve));
}

async function turns(count: number): Promise<string> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate();
  return "held";
}
