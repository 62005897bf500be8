import { keyValueStoreContract } from "@graviton/conformance/key-value-store";
import { openDataFolder } from "@graviton/embedded/data-folder";
import { kvRoutes } from "@graviton/rpc/kv/routes";
import { serveGrpc } from "@graviton/rpc/server";
import { expect, jest, test } from "@jest/globals";
import { withMethods } from "./method-overrides.ts";
import { runGraviton } from "./testing/run-graviton.ts";
import { ScratchFolder } from "./testing/scratch-folder.ts";
import { ServerProcess } from "./testing/server-process.ts";

// Each run of the command is a process of its own, and the machine may be busy.
jest.setTimeout(180_000);

test("A service that keeps its promises is told so, clause by clause, and is left as it was found", async () => {
  await using data = await ScratchFolder.make();
  await using server = await ServerProcess.start(data.path);
  const { endpoint } = server;
  const run = (...args: string[]) => runGraviton(args, { endpoint });
  await runGraviton(["put", "-"], { endpoint, input: "was here before" });
  await run("kv", "put", "conformance/mine", "was here before");
  await runGraviton(["object", "put", "fs://conformance/mine", "-"], { endpoint, input: "was here before" });
  const listings = () =>
    Promise.all([run("ls"), run("kv", "scan", "--values"), run("object", "ls", "fs://conformance")]);
  const before = (await listings()).map(({ stdout }) => stdout);

  const only = ["ManifestStore", "MutableObjectStore", "ReplicaIndex", "RangeTracker", "KeyValueStore"];
  const { code, stdout, stderr } = await run("conform", endpoint, "--only", ...only);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.at(-1)).toMatch(new RegExp(`^${lines.length - 1} ok, 0 FAILED, \\d+ left out$`));
  for (const line of lines.slice(0, -1)) expect(line).toMatch(/^ok {6}\w+: .+\.$/);
  for (const port of only) expect(stdout).toContain(`ok      ${port}: `);
  expect((await listings()).map(({ stdout }) => stdout)).toEqual(before);
});

test("A service that breaks a promise is told which, and the code is 1", async () => {
  await using data = await ScratchFolder.make();
  await using stores = await openDataFolder(data.path);
  const forgetful = withMethods(stores.keyValues, { get: async () => undefined });
  await using server = await serveGrpc({ routes: [kvRoutes(forgetful)], host: "127.0.0.1", port: 0 });
  const ran = await runGraviton(["conform", `http://${server.address}`, "--only", "KeyValueStore", "--json"]);
  expect(ran.code).toBe(1);
  const records = ran.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const results = new Map(records.map(({ says, ok }) => [says, ok]));
  const [first, second] = keyValueStoreContract.clauses;
  expect(results.get(first?.says)).toBe(false);
  expect(results.get(second?.says)).toBe(true);
  const { kept, failed } = records.at(-1);
  expect(kept + failed).toBe(records.length - 1);
  expect(JSON.parse(ran.stderr).error.message).toBe(`${failed} of ${kept + failed} promises are broken`);
});
