import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { silentServer } from "@graviton/rpc/testing/silent-server";
import { expect, jest, test } from "@jest/globals";
import { runGraviton, startGraviton } from "./testing/run-graviton.ts";
import { ScratchFolder } from "./testing/scratch-folder.ts";
import { ServerProcess } from "./testing/server-process.ts";

// Each run of the command is a process of its own, and the machine may be busy.
jest.setTimeout(60_000);

const someKey = `blake3:${"0".repeat(64)}:1000`;

/** A way to the server that breaks once, as soon as so many bytes have gone up. */
async function breakingWay(endpoint: string, bytesMax: number) {
  const { hostname, port } = new URL(endpoint);
  let broken = false;
  const way = createServer((client) => {
    const server = connect({ host: hostname, port: Number(port) });
    const cut = () => void [client, server].map((socket) => socket.destroy());
    for (const socket of [client, server]) socket.on("error", cut).on("close", cut);
    server.pipe(client);
    client.pipe(server);
    client.on("data", () => {
      if (broken || client.bytesRead < bytesMax) return;
      broken = true;
      cut();
    });
  });
  await once(way.listen(0, "127.0.0.1"), "listening");
  return {
    endpoint: `http://127.0.0.1:${(way.address() as AddressInfo).port}`,
    wasBroken: () => broken,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => way.close(resolve));
    },
  };
}

test.each([["put"], ["object put fs://bucket/name"]])(
  "A connection that breaks under %s is not noticed where a file is sent",
  async (command) => {
    await using folder = await ScratchFolder.make();
    await using server = await ServerProcess.start(folder.at("data"));
    const content = randomBytes(8 * 1024 * 1024);
    await writeFile(folder.at("file"), content);
    await using way = await breakingWay(server.endpoint, 1024 * 1024);
    const put = await runGraviton([...command.split(" "), folder.at("file")], { endpoint: way.endpoint });
    expect(put).toMatchObject({ code: 0, stderr: expect.not.stringContaining("graviton:") });
    expect(way.wasBroken()).toBe(true);
  },
);

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends a get with %d, and no temporary file is left", async (signal, code) => {
  await using folder = await ScratchFolder.make();
  await using server = await silentServer();
  const child = startGraviton(["get", someKey, "-o", folder.at("copy")], `http://${server.address}`);
  const closed = once(child, "close");
  await server.connected;
  expect(await readdir(folder.path)).toHaveLength(1);
  child.kill(signal);
  expect((await closed)[0]).toBe(code);
  expect(await readdir(folder.path)).toEqual([]);
});

test("A put from an input that never ends is interrupted", async () => {
  await using server = await silentServer();
  const child = startGraviton(["put", "-"], `http://${server.address}`);
  const closed = once(child, "close");
  child.stdin?.write("and then nothing");
  await server.connected;
  child.kill("SIGINT");
  expect((await closed)[0]).toBe(130);
});

test("A server that does not answer in time, and one that is not there, exit with 5", async () => {
  await using server = await silentServer();
  const late = await runGraviton(["stat", someKey, "--timeout", "0.2", "--endpoint", `http://${server.address}`]);
  expect(late).toMatchObject({ code: 5, stdout: "", stderr: "graviton: the deadline passed\n" });
  const nobody = "http://127.0.0.1:1";
  const absent = await runGraviton(["stat", someKey, "--endpoint", nobody]);
  const says = `graviton: cannot reach ${nobody}: start one with: graviton serve\n`;
  expect(absent).toMatchObject({ code: 5, stdout: "", stderr: says });
});

test("A reader that has enough ends a get without a word", async () => {
  await using data = await ScratchFolder.make();
  await using server = await ServerProcess.start(data.path);
  const { endpoint } = server;
  const key = (await runGraviton(["put", "-", "-q"], { endpoint, input: randomBytes(8_000_000) })).stdout.trim();
  const child = startGraviton(["get", key], endpoint);
  const closed = once(child, "close");
  const errors: Buffer[] = [];
  child.stderr?.on("data", (bytes: Buffer) => errors.push(bytes));
  child.stdout?.once("data", () => child.stdout?.destroy());
  expect((await closed)[0]).toBe(141);
  expect(Buffer.concat(errors).toString()).toBe("");
});
