import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { RequestHandler } from "./request-handler.ts";

type Request = Parameters<RequestHandler["handle"]>[0];

test("S3 may be silent for longer while it copies than otherwise.", async () => {
  await using server = await silentServer();
  const handler = new RequestHandler({ socketTimeout: 50, copyingTimeout: 60_000 });
  const copying = [
    handler.handle(server.request({ method: "PUT", headers: { "x-amz-copy-source": "bucket/key" } })),
    handler.handle(server.request({ method: "POST", query: { uploadId: "upload" } })),
  ];
  await server.asked(2);
  // It has been silent for a shorter time than those.
  await expect(handler.handle(server.request({}))).rejects.toMatchObject({ name: "TimeoutError" });
  server.answer();
  for (const { response } of await Promise.all(copying)) expect(response.statusCode).toBe(200);
  handler.destroy();
});

test("A failure of the network keeps its name, its code and its cause.", async () => {
  await using server = await silentServer();
  const handler = new RequestHandler({ copyingTimeout: 60_000 });
  for (const change of [{}, { method: "POST", query: { uploadId: "upload" } }]) {
    const broken = expect(handler.handle(server.request(change))).rejects.toMatchObject({
      name: "TimeoutError",
      code: "ECONNRESET",
      cause: expect.anything(),
    });
    await server.asked(1);
    server.break();
    await broken;
  }
  handler.destroy();
});

/** A server that answers when it is told to. */
async function silentServer() {
  const answers: ServerResponse[] = [];
  const server = createServer((_, answer) => {
    answers.push(answer);
    server.emit("asked");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const to = { protocol: "http:", hostname: "127.0.0.1", port, method: "GET", path: "/", headers: {}, query: {} };
  return {
    request: (change: Partial<Request>) => ({ ...to, ...change }) as Request,
    /** Resolves once so many requests wait for their answer. */
    async asked(count: number) {
      while (answers.length < count) await once(server, "asked");
    },
    answer() {
      for (const answer of answers.splice(0)) answer.end();
    },
    break() {
      for (const answer of answers.splice(0)) answer.destroy();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
