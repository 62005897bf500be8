import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { RequestHandler } from "./request-handler.ts";

type Request = Parameters<RequestHandler["handle"]>[0];

const copying = { method: "POST", query: { uploadId: "upload" } };

test("S3 may be silent for longer while it copies than otherwise.", async () => {
  await using server = await silentServer();
  const handler = new RequestHandler({ pool: {}, socketTimeout: 50, copyingTimeout: 60_000 });
  const patient = [
    handler.handle(server.request({ method: "PUT", headers: { "x-amz-copy-source": "bucket/key" } })),
    handler.handle(server.request(copying)),
  ];
  await server.asked(2);
  // It has been silent for a shorter time than those.
  await expect(handler.handle(server.request({}))).rejects.toMatchObject({ name: "TimeoutError" });
  server.answer();
  for (const { response } of await Promise.all(patient)) expect(response.statusCode).toBe(200);
  handler.destroy();
});

test("A failure of the network keeps its name, its code and its cause.", async () => {
  await using server = await silentServer();
  const handler = new RequestHandler({ pool: {}, copyingTimeout: 60_000 });
  for (const change of [{}, copying]) {
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

test("The connections of all requests are the same ones, and none is left in the end.", async () => {
  await using server = await silentServer();
  const handler = new RequestHandler({ pool: { keepAlive: true, maxSockets: 1 }, copyingTimeout: 60_000 });
  for (const change of [copying, {}, copying]) {
    const handled = handler.handle(server.request(change));
    await server.asked(1);
    server.answer();
    (await handled).response.body.resume();
  }
  expect(server.connections).toHaveLength(1);
  handler.destroy();
  await server.closed();
});

test.each([
  ["copying", copying],
  ["other requests", {}],
])("Connections that nothing but %s has used are closed in the end too.", async (_, change) => {
  await using server = await silentServer();
  const handler = new RequestHandler({ pool: { keepAlive: true }, copyingTimeout: 60_000 });
  const handled = handler.handle(server.request(change));
  await server.asked(1);
  server.answer();
  await handled;
  handler.destroy();
  await server.closed();
});

/** A server that answers when it is told to. */
async function silentServer() {
  const answers: ServerResponse[] = [];
  const server = createServer((_, answer) => {
    answers.push(answer);
    server.emit("asked");
  });
  // Whoever opened a connection has to close it.
  server.keepAliveTimeout = 0;
  const connections: Socket[] = [];
  server.on("connection", (connection) => connections.push(connection));
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
    connections,
    /** Resolves once no connection is open. */
    async closed() {
      await Promise.all(connections.map((connection) => connection.closed || once(connection, "close")));
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
