import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { expect, jest, test } from "@jest/globals";
import { runGraviton } from "./testing/run-graviton.ts";
import { ScratchFolder } from "./testing/scratch-folder.ts";
import { ServerProcess } from "./testing/server-process.ts";

// Each run of the command is a process of its own, and the machine may be busy.
jest.setTimeout(60_000);

const anyPorts = ["--grpc-port", "0", "--http-port", "0"];

test("A folder has one process: the second one is refused with 5 and one line, and the first works on", async () => {
  await using data = await ScratchFolder.make();
  await using server = await ServerProcess.start(data.path);
  const second = await runGraviton(["serve", "--data", data.path, ...anyPorts]);
  expect(second.code).toBe(5);
  expect(second.stderr).toMatch(/^graviton: [^\n]+\n$/);
  expect(second.stderr).toContain(data.path);
  expect((await runGraviton(["put", "-"], { endpoint: server.endpoint, input: "works on" })).code).toBe(0);
});

test("A port that somebody has, and a folder that cannot be, are refused with 5 and one line that names them", async () => {
  await using data = await ScratchFolder.make();
  await using other = await ScratchFolder.make();
  await using server = await ServerProcess.start(data.path);
  const { port } = new URL(server.endpoint);
  const taken = await runGraviton(["serve", "--data", other.path, "--grpc-port", port, "--http-port", "0"]);
  expect(taken).toMatchObject({ code: 5, stdout: "" });
  expect(taken.stderr).toMatch(new RegExp(`^graviton: [^\\n]*${port}[^\\n]*\\n$`));
  await writeFile(other.at("file"), "");
  const impossible = await runGraviton(["serve", "--data", other.at("file/data"), ...anyPorts]);
  expect(impossible).toMatchObject({ code: 5, stdout: "" });
  expect(impossible.stderr).toContain(other.at("file/data"));
});

test("What was stored is there after kill -9 and after SIGTERM, which exits 0", async () => {
  await using data = await ScratchFolder.make();
  const input = randomBytes(2_000_000);
  let key = "";
  {
    await using server = await ServerProcess.start(data.path);
    const { endpoint } = server;
    key = (await runGraviton(["put", "-", "-q"], { endpoint, input })).stdout.trim();
    await runGraviton(["kv", "put", "name", "value"], { endpoint });
    await server.end("SIGKILL");
  }
  {
    await using server = await ServerProcess.start(data.path);
    expect((await runGraviton(["get", key], { endpoint: server.endpoint })).bytes.equals(input)).toBe(true);
    expect(await server.end("SIGTERM")).toBe(0);
  }
  await using server = await ServerProcess.start(data.path);
  expect(await runGraviton(["verify", key], { endpoint: server.endpoint })).toMatchObject({ code: 0 });
  expect(await runGraviton(["kv", "get", "name"], { endpoint: server.endpoint })).toMatchObject({ stdout: "value" });
});
