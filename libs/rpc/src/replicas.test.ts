import { createClient } from "@connectrpc/connect";
import { BlobService } from "@graviton/proto/graviton/blob/v1/blob_pb";
import { describe, expect, jest, test } from "@jest/globals";
import { blobRoutesInPart } from "./blob-routes-in-part.ts";
import { fromWire } from "./errors.ts";
import { Replicas, type ReplicasChange } from "./replicas.ts";
import { serveGrpc } from "./server.ts";
import { silentServer } from "./testing/silent-server.ts";

const hint = "set GRAVITON_MANIFEST_SERVICES";

describe("The replicas of a service", () => {
  test("take calls in turn", async () => {
    const served = { first: 0, second: 0 };
    await using first = await counting(() => served.first++);
    await using second = await counting(() => served.second++);
    await using replicas = new Replicas(init([first.address, second.address]));
    await replicas.resolved;
    for (let call = 0; call < 6; call += 1) await stat(replicas);
    expect(served).toEqual({ first: 3, second: 3 });
  });

  test("that do not answer are passed over for a while", async () => {
    let served = 0;
    const gone = await counting(() => {});
    await gone[Symbol.asyncDispose]();
    await using alive = await counting(() => served++);
    await using replicas = new Replicas(init([gone.address, alive.address]));
    await replicas.resolved;
    const outcomes = await Array.fromAsync({ length: 4 }, () => stat(replicas).then(() => "served", reasonOf));
    expect(outcomes.filter((outcome) => outcome === "UNAVAILABLE").length).toBeLessThanOrEqual(1);
    expect(served).toBeGreaterThanOrEqual(3);
  });

  test("are asked once their names have resolved, however soon the call comes", async () => {
    await using server = await counting(() => {});
    const [host = "", port] = server.address.split(":");
    const resolve = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return [host];
    };
    await using replicas = new Replicas({ ...init([`blocks:${port}`]), resolve });
    await stat(replicas);
  });

  test("rest until they answer again", async () => {
    const server = await counting(() => {});
    await using replicas = new Replicas(init([server.address]));
    await stat(replicas);
    await server[Symbol.asyncDispose]();
    await expect(stat(replicas)).rejects.toThrow();
    expect(replicas.current().map(({ resting }) => resting)).toEqual([true]);
    const statBlob = async () => ({});
    const back = { routes: [blobRoutesInPart({ statBlob })], host: "127.0.0.1", port: server.port };
    await using _back = await serveGrpc(back);
    while (
      !(await stat(replicas).then(
        () => true,
        () => false,
      ))
    );
    expect(replicas.current().map(({ resting }) => resting)).toEqual([false]);
  });

  test("that accept connections and say nothing are passed over until they speak, however long that takes", async () => {
    await using alive = await counting(() => {});
    await using silent = await silentServer();
    const now = jest.spyOn(performance, "now");
    try {
      await using replicas = new Replicas({
        ...init([alive.address, silent.address]),
        channel: { connectMsMax: 100 },
      });
      await replicas.resolved;
      const resting = () => replicas.current().flatMap(({ name, resting }) => (resting ? [name] : []));
      // On a busy machine the other one may be late for its first connection too.
      while (!(resting().length === 1 && resting().includes(silent.address))) await stat(replicas).catch(reasonOf);
      now.mockReturnValue(Number.MAX_SAFE_INTEGER);
      for (let call = 0; call < 4; call += 1) await stat(replicas);
      expect(resting()).toEqual([silent.address]);
    } finally {
      now.mockRestore();
    }
  });

  test("are all addresses of a name, asked again while the process runs", async () => {
    let addresses = ["10.0.0.1"];
    const changes: ReplicasChange[] = [];
    const changed = Promise.withResolvers<void>();
    const onChange = (change: ReplicasChange) => {
      changes.push(change);
      addresses = ["10.0.0.2", "10.0.0.3"];
      if (changes.length === 2) changed.resolve();
    };
    const resolve = async () => addresses;
    await using replicas = new Replicas({ ...init(["blocks:7481"]), resolve, onChange, resolveMs: 1 });
    await changed.promise;
    expect(replicas.current().map(({ name }) => name)).toEqual(["10.0.0.2:7481", "10.0.0.3:7481"]);
    expect(changes[1]).toMatchObject({ removed: ["10.0.0.1:7481"], added: ["10.0.0.2:7481", "10.0.0.3:7481"] });
  });

  test("stay when their name does not resolve any more", async () => {
    let calls = 0;
    const asked = Promise.withResolvers<void>();
    const resolve = async () => {
      calls += 1;
      if (calls === 1) return ["10.0.0.1"];
      throw new Error("SERVFAIL");
    };
    const onChange = ({ failed }: ReplicasChange) => void (failed.length > 0 && asked.resolve());
    await using replicas = new Replicas({ ...init(["blocks:7481"]), resolve, onChange, resolveMs: 1 });
    await asked.promise;
    expect(replicas.current().map(({ name }) => name)).toEqual(["10.0.0.1:7481"]);
  });

  test.each([
    ["an empty list", [], "its list is empty"],
    ["a name that nobody has", ["nobody:7482"], "nobody:7482 resolves to no address"],
  ])("of %s are UNAVAILABLE, and the error names the setting", async (_, addresses, says) => {
    const resolve = () => Promise.reject(new Error("ENOTFOUND"));
    await using replicas = new Replicas({ ...init(addresses), resolve });
    await replicas.resolved;
    const error = await stat(replicas).catch((failure: unknown) => failure);
    expect(String(error)).toContain(says);
    expect(String(error)).toContain(hint);
  });
});

function init(addresses: readonly string[]) {
  return { name: "manifest-service", addresses, hint, resolveMs: 60_000 };
}

function counting(count: () => void) {
  const statBlob = async () => {
    count();
    return {};
  };
  return serveGrpc({ routes: [blobRoutesInPart({ statBlob })], host: "127.0.0.1", port: 0 });
}

function stat(replicas: Replicas) {
  return createClient(BlobService, replicas.channel.transport).statBlob({});
}

function reasonOf(error: unknown) {
  return fromWire(error).reason;
}
