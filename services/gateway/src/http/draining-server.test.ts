import { on, once } from "node:events";
import { Agent, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { describe, expect, test } from "@jest/globals";
import { DrainingServer } from "./draining-server.ts";

/** More than a test takes. */
const graceMs = 60_000;

const head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

describe("A server that drains", () => {
  test("tells each connection that its request is the last, and is done when that is answered", async () => {
    const { server, port, asked } = await listening();
    const answer = ask(port);
    const response = await asked();
    const drained = server.drain(graceMs);
    response.end("answered");
    const message = await answer;
    expect([message.headers.connection, await text(message)]).toEqual(["close", "answered"]);
    await drained;
  });

  test("closes a connection whose answer had begun, once it ends", async () => {
    const { server, port, asked } = await listening();
    const answer = ask(port);
    const response = await asked();
    response.write("begun ");
    const message = await answer;
    expect(message.headers.connection).toBe("keep-alive");
    const drained = server.drain(graceMs);
    response.end("and ended");
    expect(await text(message)).toBe("begun and ended");
    await drained;
  });

  test("answers every request that a connection has sent one behind the other", async () => {
    const { server, port, asked } = await listening();
    const socket = connect(port, "127.0.0.1");
    socket.write(head + head);
    const responses = [await asked(), await asked()];
    const drained = server.drain(graceMs);
    for (const response of responses) response.end("answered");
    expect((await text(socket)).match(/answered/g)).toHaveLength(2);
    await drained;
  });

  test("cuts nothing off that is written and that its client has yet to take", async () => {
    // More than the sockets between the two hold.
    const much = Buffer.alloc(24 * 1024 * 1024, "much");
    const { server, port, asked } = await listening();
    const socket = connect(port, "127.0.0.1");
    socket.write(head);
    const response = await asked();
    response.end(much);
    const drained = server.drain(graceMs);
    const taken = await buffer(socket);
    expect(taken.subarray(-much.length).equals(much)).toBe(true);
    await drained;
  });

  test("closes connections that wait for their next request, and those that never had one", async () => {
    const { server, port, asked } = await listening();
    const sockets = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    sockets[0]?.write(head);
    const response = await asked();
    response.end("answered");
    await once(response, "close");
    await server.drain(graceMs);
    const [used = "", unused] = await Promise.all(sockets.map(text));
    expect(used).toContain("answered");
    expect(unused).toBe("");
  });

  test("answers a request that has arrived, though nobody has looked", async () => {
    const { server, port, asked } = await listening();
    const socket = connect(port, "127.0.0.1");
    socket.write(head);
    const first = await asked();
    first.end("answered");
    await once(first, "close");
    socket.write(head);
    const drained = server.drain(graceMs);
    const answers = text(socket);
    const second = await asked();
    second.end("answered");
    expect((await answers).match(/answered/g)).toHaveLength(2);
    await drained;
  });

  test("cuts off what is still in flight after the grace", async () => {
    const { server, port, asked } = await listening();
    const answer = ask(port).catch(() => "cut off");
    await asked();
    await server.drain(0);
    expect(await answer).toBe("cut off");
  });

  test("drains once, for all who wait, and after the shortest grace", async () => {
    const { server, port, asked } = await listening();
    const answer = ask(port).catch(() => "cut off");
    await asked();
    await Promise.all([server.drain(graceMs), server.drain(0)]);
    expect(await answer).toBe("cut off");
    await server.drain(graceMs);
  });
});

interface Listening {
  readonly server: DrainingServer;
  readonly port: number;
  /** The response to the next request, in the order of their arrival. */
  asked(): Promise<ServerResponse>;
}

async function listening(): Promise<Listening> {
  // A connection that waits for its next request is closed by the drain or not at all.
  const server = new DrainingServer({ keepAliveTimeout: 0 });
  const requests = on(server, "request");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, port, asked: async () => (await requests.next()).value?.[1] };
}

/** Asks as a client that would keep its connection. */
async function ask(port: number): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port, agent: new Agent({ keepAlive: true }) });
  asked.end();
  const [message] = await once(asked, "response");
  return message;
}
