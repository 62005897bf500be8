import {
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, test } from "@jest/globals";
import { nodeOptions } from "../libs/service/src/garbage-collection.ts";
import { fallbackOf, settings } from "../libs/service/src/settings.ts";
import { check, describeWith, root } from "./testing/checkers.ts";
import { faultsOf, processOf } from "./testing/environment.ts";

/** As much of a service as is looked at here, in the normal form that Compose makes of it. */
interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string; readonly target: number }[];
  readonly volumes?: readonly { readonly type: string; readonly source: string }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly required: boolean }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly deploy?: { readonly replicas: number };
  readonly [field: string]: unknown;
}

const text = readFileSync(join(root, "docker-compose.yml"), "utf8");
const choice = "$" + "{S3_SERVER:-seaweedfs}";
const stores = readdirSync(join(root, "deploy/s3")).map((name) => basename(name, ".yml"));
const processes = ["gateway", "block-service", "manifest-service", "kv-service", "object-service"];

describeWith(["compose"], "docker-compose.yml", () => {
  const services = load("seaweedfs");
  const ours = Object.entries(services).filter(([, { image }]) => image.startsWith("graviton:"));

  test("chooses its S3 by the name of a file", () => {
    expect(text).toContain(`  - deploy/s3/${choice}.yml\n`);
    expect(stores.sort()).toEqual(["external", "minio", "seaweedfs", "versitygw"]);
  });

  test.each(stores)("is a Compose file with the S3 %s, which `bucket` waits for", (store) => {
    const { s3, bucket } = load(store);
    expect(bucket?.depends_on?.s3).toMatchObject({ condition: "service_healthy", required: false });
    if (store === "external") expect(s3?.profiles).toEqual(["elsewhere"]);
    else expect([s3?.profiles, s3?.healthcheck?.test?.[0]]).toEqual([undefined, "CMD"]);
  });

  test("runs every process, and its jobs before those who need them", () => {
    expect(ours.map(([name]) => name).sort()).toEqual([...processes, "bucket", "migrate"].sort());
    const started = ours.filter(([name]) => name !== "bucket").map(([, { command = [] }]) => processOf(command));
    expect(started.sort()).toEqual([...processes, "migrate"].sort());
    expect(ours.filter(([, { command = [] }]) => !existsSync(join(root, command[0] ?? "")))).toEqual([]);
    const waits = Object.fromEntries(
      ours.map(([name, { depends_on = {} }]) => [
        name,
        Object.entries(depends_on).map(([on, { condition }]) => `${on} ${condition}`),
      ]),
    );
    expect(waits).toEqual({
      gateway: processes
        .slice(1)
        .map((name) => `${name} service_healthy`)
        .sort(),
      "block-service": ["bucket service_completed_successfully"],
      "object-service": ["bucket service_completed_successfully"],
      "manifest-service": ["migrate service_completed_successfully"],
      "kv-service": [],
      bucket: ["s3 service_healthy"],
      migrate: ["postgres service_healthy"],
    });
  });

  test.each(ours.filter(([name]) => name !== "bucket"))(
    "gives %s an environment that it accepts",
    (_, { command = [], environment = {} }) => {
      const process = processOf(command);
      expect(faultsOf(process, environment)).toEqual([]);
      // The check of the image's health asks the port that this names.
      const { GRAVITON_ADMIN_PORT = "9480" } = environment;
      if (process !== "migrate") expect(GRAVITON_ADMIN_PORT).toBe(fallbackOf(settings.adminPort, process));
    },
  );

  test("builds the image once, for all that run it", () => {
    const built = ours.map(([name, { build, pull_policy }]) => [name, build === undefined ? pull_policy : "built"]);
    const others = [...processes.slice(1), "bucket", "migrate"].map((name) => [name, "never"]);
    expect(Object.fromEntries(built)).toEqual(Object.fromEntries([["gateway", "built"], ...others]));
  });

  test.each(Object.entries(services))("lets the log of %s not grow without end", (_, service) => {
    expect(service).toMatchObject({ logging: { driver: "local" } });
  });

  test.each(Object.entries(services))("gives %s no more rights than it needs", (name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
    // Two start as root to make their folder theirs, and become somebody else then.
    if (!["postgres", "s3"].includes(name)) expect(service.cap_add).toBeUndefined();
    expect(service).not.toHaveProperty("privileged");
  });

  test("lets in nobody but this machine, and to no replica but by its service", () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map(({ host_ip, published, target }) => `${name} ${host_ip}:${published} ${target}`),
    );
    expect(published.sort()).toEqual([
      "gateway 127.0.0.1:7480 7480",
      "gateway 127.0.0.1:8480 8480",
      "grafana 127.0.0.1:3000 3000",
      "prometheus 127.0.0.1:9090 9090",
    ]);
    expect(services["block-service"]?.deploy).toEqual({ replicas: 2 });
  });

  test("names a version of every image, and only files that there are", () => {
    const images = stores.flatMap((store) => Object.values(load(store)).map(({ image }) => image));
    expect(images.filter((image) => !/^[^:]+:(v?\d+\.\d+(\.\d+)?|RELEASE\.[\dTZ-]+)$/.test(image))).toEqual([]);
    const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes);
    const missing = mounted.filter(({ type, source }) => type === "bind" && !existsSync(source));
    expect(missing).toEqual([]);
    expect(mounted.some(({ type }) => type === "bind")).toBe(true);
  });

  test("has an example of its variables, with the values that stand without it", () => {
    const used = [text, ...stores.map((store) => readFileSync(join(root, `deploy/s3/${store}.yml`), "utf8"))].join(
      "\n",
    );
    const fallbacks = [...used.matchAll(/\$\{([A-Z0-9_]+):-([^}]*)\}/g)].map(([, name, value]) => `${name}=${value}`);
    const example = readFileSync(join(root, "deploy/compose.env.example"), "utf8");
    expect([...new Set(fallbacks)].sort()).toEqual(
      example
        .split("\n")
        .filter((line) => /^[A-Z]/.test(line))
        .sort(),
    );
  });
});

describeWith(["hadolint"], "Dockerfile", () => {
  test("has nothing that hadolint finds fault with", () => {
    expect(check("hadolint", ["Dockerfile"])).toBe("");
  });
});

test("The image starts Node as a cluster on one machine does", () => {
  const [, entrypoint = ""] = /^ENTRYPOINT (.*)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8")) ?? [];
  expect(JSON.parse(entrypoint)).toEqual(["node", ...nodeOptions]);
});

test("What ships is no development dependency as well: the image would lack it", () => {
  const manifests = globSync(
    ["{.,cli}/package.json", "{libs,services}/*/package.json", "libs/adapters/*/package.json"],
    {
      cwd: root,
    },
  );
  const twice = manifests.flatMap((path) => {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(join(root, path), "utf8"));
    const names = Object.keys(dependencies).filter((name) => name in devDependencies);
    return names.map((name) => `${path}: ${name}`);
  });
  expect(manifests).toContain("services/gateway/package.json");
  expect(twice).toEqual([]);
});

function load(store: string): Record<string, Service> {
  const folder = mkdtempSync(join(tmpdir(), "graviton-compose-"));
  try {
    writeFileSync(join(folder, "docker-compose.yml"), text.replace(choice, store));
    symlinkSync(join(root, "deploy"), join(folder, "deploy"));
    const model = JSON.parse(check("compose", ["-format", "json", "docker-compose.yml"], { cwd: folder }));
    const services: Record<string, Service> = JSON.parse(
      JSON.stringify(model.services).replaceAll(`"${folder}/`, `"${root}/`),
    );
    return services;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
