import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type ProcessName, processNames, readConfig } from "./settings.ts";
import { helpText, settingsDocument } from "./settings-document.ts";

describe("The configuration of a process", () => {
  test.each([
    ["gateway", 7480, 9480],
    ["block-service", 7481, 9481],
    ["manifest-service", 7482, 9482],
    ["kv-service", 7483, 9483],
    ["object-service", 7484, 9484],
  ] as const)("%s needs no variable, and listens on %i and %i", (process, grpcPort, adminPort) => {
    expect(readConfig(process, {})).toMatchObject({ grpcPort, adminPort, host: "127.0.0.1", graceSeconds: 20 });
  });

  test("takes what the environment says", () => {
    const environment = {
      GRAVITON_BLOCK_SERVICES: "blocks:7481, 10.0.0.7:7481,[::1]:7481",
      GRAVITON_GRPC_PORT: "0",
      GRAVITON_RESOLVE_SECONDS: "0.5",
      GRAVITON_LOG_LEVEL: "silent",
      PATH: "/bin",
    };
    expect(readConfig("gateway", environment)).toMatchObject({
      blockServices: ["blocks:7481", "10.0.0.7:7481", "[::1]:7481"],
      grpcPort: 0,
      resolveSeconds: 0.5,
      logLevel: "silent",
    });
  });

  test("has an empty list of services where the environment says so, and the default where it says nothing", () => {
    expect(readConfig("gateway", { GRAVITON_BLOCK_SERVICES: "" }).blockServices).toEqual([]);
    expect(readConfig("gateway", {}).blockServices).toEqual(["127.0.0.1:7481"]);
  });

  test("takes an empty variable for an absent one", () => {
    expect(readConfig("block-service", { GRAVITON_S3_ENDPOINT: "", GRAVITON_GRPC_PORT: "" })).toMatchObject({
      s3Endpoint: undefined,
      grpcPort: 7481,
    });
  });

  test("ignores the settings of other processes, also where they are wrong", () => {
    expect(readConfig("gateway", { GRAVITON_S3_PATH_STYLE: "perhaps" })).toMatchObject({ s3PathStyle: true });
  });

  test.each<[ProcessName, string, string, string]>([
    ["gateway", "GRAVITON_GRPC_PORT", "70000", 'must be a whole number, 0 to 65535, not "70000"'],
    ["gateway", "GRAVITON_HOST", "localhost", "must be an IP address"],
    ["gateway", "GRAVITON_BLOCK_SERVICES", "blocks", 'has "blocks" in it, and must be host:port'],
    ["gateway", "GRAVITON_GRACE_SECONDS", "-1", "must be seconds"],
    ["block-service", "GRAVITON_BLOCK_BACKEND", "tape", 'must be one of s3, filesystem, memory, not "tape"'],
    ["block-service", "GRAVITON_S3_ENDPOINT", "minio:9000", "must be http://host:port"],
    ["block-service", "GRAVITON_S3_ENDPOINT", "http://graviton:hidden@minio:9000", "must be http://host:port"],
    ["block-service", "GRAVITON_S3_BUCKET", "My_Bucket", "must be 3 to 63 lower-case letters"],
    ["block-service", "GRAVITON_S3_PREFIX", "../x/", "must be at most 64 letters"],
    ["block-service", "GRAVITON_S3_ACCESS_KEY_ID", "graviton", "and GRAVITON_S3_SECRET_ACCESS_KEY go together"],
    ["gateway", "GRAVITON_KV_SERVICES", "values:99999", 'has "values:99999" in it'],
    [
      "manifest-service",
      "GRAVITON_POSTGRES_SCHEMA",
      "pg_x",
      "must be a name in lower case that does not begin with pg_",
    ],
    ["block-service", "GRAVITON_S3_PATH_STYLE", "yes", "must be one of true, false"],
    ["manifest-service", "GRAVITON_POSTGRES_SCHEMA", "Graviton", "must be a name in lower case"],
    ["migrate", "GRAVITON_POSTGRES_URL", "mysql://root:hidden@host/db", "must be postgres://"],
    ["migrate", "GRAVITON_POSTGRES_URL", "postgres://root:hidden@host:99999/db", "must be postgres://"],
  ])("%s refuses %s=%s by name", (process, variable, value, says) => {
    const read = () => readConfig(process, { [variable]: value });
    expect(read).toThrow(`${variable} ${says}`);
    expect(read).toThrow(/^(?!.*hidden)/);
  });

  test("names every problem, and every variable that is no setting", () => {
    const environment = { GRAVITON_BLOK_BACKEND: "s3", GRAVITON_GRPC_PORT: "x", GRAVITON_ENDPOINT: "http://a:1" };
    expect(() => readConfig("gateway", environment)).toThrow(
      'GRAVITON_BLOK_BACKEND is no setting: see --help\nGRAVITON_GRPC_PORT must be a whole number, 0 to 65535, not "x"',
    );
  });

  test("never shows a secret that it refuses", () => {
    expect(() => readConfig("migrate", { GRAVITON_POSTGRES_URL: "graviton:hidden@host" })).toThrow(
      /^(?!.*hidden).*GRAVITON_POSTGRES_URL/,
    );
  });

  test("reads a secret from a file, and says which file it cannot read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "graviton-settings-"));
    const file = join(folder, "url");
    await writeFile(file, "postgres://graviton@db/graviton\n");
    expect(readConfig("migrate", { GRAVITON_POSTGRES_URL_FILE: file }).postgresUrl).toBe(
      "postgres://graviton@db/graviton",
    );
    await rm(folder, { recursive: true });
    expect(() => readConfig("migrate", { GRAVITON_POSTGRES_URL_FILE: file })).toThrow(file);
    const both = { GRAVITON_POSTGRES_URL_FILE: file, GRAVITON_POSTGRES_URL: "postgres://a/b" };
    expect(() => readConfig("migrate", both)).toThrow("are both set: keep one");
  });
});

describe("The settings are told", () => {
  test.each(processNames.filter((name) => name !== "migrate"))("by --help of %s, each with its default", (process) => {
    const text = helpText(process, "works");
    expect(text).toContain("GRAVITON_GRPC_PORT");
    expect(text.includes("GRAVITON_HTTP_PORT")).toBe(process === "gateway");
  });

  test("in docs/configuration.md, which npm run generate makes", async () => {
    const path = join(import.meta.dirname, "../../../docs/configuration.md");
    expect(await readFile(path, "utf8")).toBe(settingsDocument());
  });
});
