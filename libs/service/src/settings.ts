import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { StorageError } from "@graviton/ports/storage-error";

/** The processes that are configured by the environment. */
export const processNames = [
  "gateway",
  "block-service",
  "manifest-service",
  "kv-service",
  "object-service",
  "migrate",
] as const;

export type ProcessName = (typeof processNames)[number];

/** Everything that a process can be told. Each process reads its part; the rest has its defaults. */
export interface Config {
  readonly host: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly adminPort: number;
  readonly graceSeconds: number;
  readonly callsMax: number;
  readonly placeWaitSeconds: number;
  readonly connectionAgeSeconds: number;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  readonly otlpEndpoint: string | undefined;
  readonly blockBackend: "s3" | "filesystem" | "memory";
  readonly manifestBackend: "postgres" | "leveldb" | "memory";
  readonly kvBackend: "leveldb" | "postgres" | "memory";
  readonly objectBackend: "s3" | "postgres" | "filesystem" | "memory";
  readonly dataFolder: string;
  readonly s3Endpoint: string | undefined;
  readonly s3Region: string;
  readonly s3Bucket: string;
  readonly s3Prefix: string;
  readonly s3PathStyle: boolean;
  readonly s3AccessKeyId: string | undefined;
  readonly s3SecretAccessKey: string | undefined;
  readonly s3RequestsMax: number;
  readonly postgresUrl: string | undefined;
  readonly postgresSchema: string;
  readonly postgresConnectionsMax: number;
  readonly postgresMigrate: boolean;
  readonly blockServices: readonly string[];
  readonly manifestServices: readonly string[];
  readonly kvServices: readonly string[];
  readonly objectServices: readonly string[];
  readonly resolveSeconds: number;
}

/** One variable of the environment. */
export interface Setting<T = unknown> {
  /** `GRAVITON_GRPC_PORT`. */
  readonly variable: string;
  /** What it means, in one sentence without its full stop. */
  readonly says: string;
  readonly processes: readonly ProcessName[];
  /** The text that stands when the variable is absent or empty. */
  readonly fallback: string | ((process: ProcessName) => string);
  /** What the text may be, for people. */
  readonly form: string;
  /** Whether `<variable>_FILE` may name a file that holds the value. */
  readonly secret?: true;
  /** Whether an empty value is a value of its own, and not the same as none. */
  readonly mayBeEmpty?: true;
  /** @throws Error that says what the value must be */
  parse(text: string): T;
}

type Table = { readonly [K in keyof Config]: Setting<Config[K]> };

const services: readonly ProcessName[] = [
  "gateway",
  "block-service",
  "manifest-service",
  "kv-service",
  "object-service",
];
const bulk: readonly ProcessName[] = ["gateway", "block-service", "object-service"];
const onS3: readonly ProcessName[] = ["block-service", "object-service"];
const onPostgres: readonly ProcessName[] = ["manifest-service", "kv-service", "object-service", "migrate"];

/** What a process adds to 7480 for gRPC, to 8480 for HTTP and to 9480 for its admin port. */
export const portOffset: Readonly<Record<ProcessName, number>> = {
  gateway: 0,
  "block-service": 1,
  "manifest-service": 2,
  "kv-service": 3,
  "object-service": 4,
  migrate: 0,
};

/** Every variable there is, in the order in which people look for them. */
export const settings: Table = {
  host: {
    variable: "GRAVITON_HOST",
    says: "the address to listen on, 0.0.0.0 for all",
    processes: services,
    fallback: "127.0.0.1",
    form: "an IP address",
    parse: (text) => (isIP(text) > 0 ? text : refuse("an IP address")),
  },
  grpcPort: {
    variable: "GRAVITON_GRPC_PORT",
    says: "the port for gRPC, 0 for any free one",
    processes: services,
    fallback: (process) => String(7480 + portOffset[process]),
    ...integer(0, 65_535),
  },
  httpPort: {
    variable: "GRAVITON_HTTP_PORT",
    says: "the port for HTTP, Connect and gRPC-Web, 0 for any free one",
    processes: ["gateway"],
    fallback: "8480",
    ...integer(0, 65_535),
  },
  adminPort: {
    variable: "GRAVITON_ADMIN_PORT",
    says: "the port for `/metrics`, `/healthz` and `/readyz`, 0 for any free one",
    processes: services,
    fallback: (process) => String(9480 + portOffset[process]),
    ...integer(0, 65_535),
  },
  graceSeconds: {
    variable: "GRAVITON_GRACE_SECONDS",
    says: "how long calls in flight may take to end after SIGTERM",
    processes: services,
    fallback: "20",
    ...seconds(0),
  },
  logLevel: {
    variable: "GRAVITON_LOG_LEVEL",
    says: "the least severe line that is logged; `info` has one line a call",
    processes: services,
    fallback: "info",
    ...choice("trace", "debug", "info", "warn", "error", "fatal", "silent"),
  },
  otlpEndpoint: {
    variable: "GRAVITON_OTLP_ENDPOINT",
    says: "where traces go, by OTLP over HTTP; nowhere when absent",
    processes: services,
    fallback: "",
    ...optional(httpAddress()),
  },
  connectionAgeSeconds: {
    variable: "GRAVITON_CONNECTION_AGE_SECONDS",
    says: "how old a connection may get before it is closed behind its last call, so that clients find new replicas",
    processes: services,
    fallback: "300",
    ...seconds(1),
  },
  callsMax: {
    variable: "GRAVITON_CALLS_MAX",
    says: "calls that move bytes at once; each holds some 40 MiB at most, and up to 130 MiB while it stores more than 24 GB in one object of S3. One call at a gateway is up to two at every block service",
    processes: bulk,
    fallback: (process) => (process === "block-service" ? "128" : "32"),
    ...integer(1, 10_000),
  },
  placeWaitSeconds: {
    variable: "GRAVITON_PLACE_WAIT_SECONDS",
    says: "how long a call over that limit waits before it gets RESOURCE_EXHAUSTED",
    processes: bulk,
    fallback: "10",
    ...seconds(0),
  },
  blockServices: serviceList("GRAVITON_BLOCK_SERVICES", "block services", 7481),
  manifestServices: serviceList("GRAVITON_MANIFEST_SERVICES", "manifest services", 7482),
  kvServices: serviceList("GRAVITON_KV_SERVICES", "key-value services", 7483),
  objectServices: serviceList("GRAVITON_OBJECT_SERVICES", "object services", 7484),
  resolveSeconds: {
    variable: "GRAVITON_RESOLVE_SECONDS",
    says: "how often the names of services are resolved again",
    processes: ["gateway"],
    fallback: "5",
    ...seconds(0.1),
  },
  blockBackend: {
    variable: "GRAVITON_BLOCK_BACKEND",
    says: "where blocks are kept",
    processes: ["block-service"],
    fallback: "s3",
    ...choice("s3", "filesystem", "memory"),
  },
  manifestBackend: {
    variable: "GRAVITON_MANIFEST_BACKEND",
    says: "where manifests, replicas and ranges are kept",
    processes: ["manifest-service"],
    fallback: "postgres",
    ...choice("postgres", "leveldb", "memory"),
  },
  kvBackend: {
    variable: "GRAVITON_KV_BACKEND",
    says: "where keys and values are kept",
    processes: ["kv-service"],
    fallback: "leveldb",
    ...choice("leveldb", "postgres", "memory"),
  },
  objectBackend: {
    variable: "GRAVITON_OBJECT_BACKEND",
    says: "where objects are kept",
    processes: ["object-service"],
    fallback: "s3",
    ...choice("s3", "postgres", "filesystem", "memory"),
  },
  dataFolder: {
    variable: "GRAVITON_DATA",
    says: "the folder of the backends `filesystem` and `leveldb`, made when it is not there",
    processes: ["block-service", "manifest-service", "kv-service", "object-service"],
    fallback: "./graviton-data",
    form: "a path",
    parse: (text) => text,
  },
  s3Endpoint: {
    variable: "GRAVITON_S3_ENDPOINT",
    says: "the S3 to use; Amazon's own in the region when absent",
    processes: onS3,
    fallback: "",
    ...optional(httpAddress()),
  },
  s3Region: { variable: "GRAVITON_S3_REGION", says: "its region", processes: onS3, fallback: "us-east-1", ...word() },
  s3Bucket: {
    variable: "GRAVITON_S3_BUCKET",
    says: "the bucket, which must exist",
    processes: onS3,
    fallback: "graviton",
    form: "3 to 63 lower-case letters, digits, hyphens and dots",
    parse(text) {
      return /^[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]$/.test(text) ? text : refuse(this.form, text);
    },
  },
  s3Prefix: {
    variable: "GRAVITON_S3_PREFIX",
    says: "stands before every key in the bucket, so that several may share it: `team/`",
    processes: onS3,
    fallback: "",
    form: "at most 64 letters, digits, dots, hyphens, underscores and slashes, with no empty segment and no dots alone",
    parse(text) {
      const leadsElsewhere = /(^|\/)\.{0,2}\//.test(text);
      return /^[a-zA-Z0-9._/-]{0,64}$/.test(text) && !leadsElsewhere ? text : refuse(this.form, text);
    },
  },
  s3PathStyle: {
    variable: "GRAVITON_S3_PATH_STYLE",
    says: "whether the bucket stands in the path (`true`, which nearly every S3 takes) or in the host's name",
    processes: onS3,
    fallback: "true",
    ...flag(),
  },
  s3AccessKeyId: {
    variable: "GRAVITON_S3_ACCESS_KEY_ID",
    says: "the access key; without it the AWS SDK looks in its usual places (`AWS_…` variables, files, the machine's role)",
    processes: onS3,
    fallback: "",
    secret: true,
    ...optional(word()),
  },
  s3SecretAccessKey: {
    variable: "GRAVITON_S3_SECRET_ACCESS_KEY",
    says: "the secret that belongs to it",
    processes: onS3,
    fallback: "",
    secret: true,
    ...optional(word()),
  },
  s3RequestsMax: {
    variable: "GRAVITON_S3_REQUESTS_MAX",
    says: "requests to S3 in flight at once",
    processes: onS3,
    fallback: "64",
    ...integer(2, 10_000),
  },
  postgresUrl: {
    variable: "GRAVITON_POSTGRES_URL",
    says: "the database; without it the usual `PG…` variables tell",
    processes: onPostgres,
    fallback: "",
    secret: true,
    ...optional(postgresAddress()),
  },
  postgresSchema: {
    variable: "GRAVITON_POSTGRES_SCHEMA",
    says: "the schema that holds all tables",
    processes: onPostgres,
    fallback: "graviton",
    form: "a name in lower case that does not begin with pg_",
    parse(text) {
      return /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(text) ? text : refuse(this.form, text);
    },
  },
  postgresConnectionsMax: {
    variable: "GRAVITON_POSTGRES_CONNECTIONS_MAX",
    says: "connections for short calls; reads that hold a snapshot, and copies, have as many of their own",
    processes: onPostgres,
    fallback: "10",
    ...integer(1, 1000),
  },
  postgresMigrate: {
    variable: "GRAVITON_POSTGRES_MIGRATE",
    says: "whether the process brings the schema up to date when it starts; `graviton migrate` does it apart",
    processes: ["manifest-service", "kv-service", "object-service"],
    fallback: "true",
    ...flag(),
  },
};

/** Variables of other programs of Graviton, which may stand in the same environment. */
const foreign = /^GRAVITON_(ENDPOINT|TEST_.*|BENCH_.*)$/;

/**
 * What the environment says to a process, all of it checked.
 *
 * @throws StorageError INVALID_ARGUMENT naming every variable that is wrong or unknown, one a line
 */
export function readConfig(process: ProcessName, environment: Environment): Config {
  const problems = unknownVariables(environment).map((name) => `${name} is no setting: see --help`);
  const config: Record<string, unknown> = {};
  for (const [field, setting] of Object.entries(settings) as [keyof Config, Setting][]) {
    const used = setting.processes.includes(process);
    try {
      const text = used ? given(setting, environment) : undefined;
      config[field] = setting.parse(text ?? fallbackOf(setting, process));
    } catch (error) {
      problems.push(`${setting.variable} ${Error.isError(error) ? error.message : String(error)}`);
    }
  }
  if ((config.s3AccessKeyId === undefined) !== (config.s3SecretAccessKey === undefined)) {
    const [id, secret] = [settings.s3AccessKeyId.variable, settings.s3SecretAccessKey.variable];
    problems.push(`${id} and ${secret} go together: set both, or neither`);
  }
  if (problems.length > 0) throw new StorageError("INVALID_ARGUMENT", problems.join("\n"));
  return config as unknown as Config;
}

/** The settings of one process. */
export function settingsOf(process: ProcessName): readonly Setting[] {
  return (Object.values(settings) as Setting[]).filter((setting) => setting.processes.includes(process));
}

/** The text that stands for an absent variable. */
export function fallbackOf({ fallback }: Setting, process: ProcessName): string {
  return typeof fallback === "string" ? fallback : fallback(process);
}

function unknownVariables(environment: Environment): string[] {
  const known = new Set(
    (Object.values(settings) as Setting[]).flatMap(({ variable, secret }) =>
      secret ? [variable, `${variable}_FILE`] : [variable],
    ),
  );
  return Object.keys(environment).filter(
    (name) => name.startsWith("GRAVITON_") && !known.has(name) && !foreign.test(name),
  );
}

type Environment = Readonly<Record<string, string | undefined>>;

function given({ variable, secret, mayBeEmpty }: Setting, environment: Environment): string | undefined {
  const text = environment[variable] === "" && !mayBeEmpty ? undefined : environment[variable];
  const file = secret ? (environment[`${variable}_FILE`] ?? "") : "";
  if (file === "") return text;
  if (text !== undefined) throw new Error(`and ${variable}_FILE are both set: keep one`);
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    throw new Error(`cannot be read from the file ${file}, which ${variable}_FILE names`);
  }
}

function serviceList(variable: string, what: string, port: number): Setting<readonly string[]> {
  const form = "host:port, separated by commas";
  return {
    variable,
    says: `the ${what}; each name stands for all of its addresses`,
    processes: ["gateway"],
    fallback: `127.0.0.1:${port}`,
    mayBeEmpty: true,
    form,
    parse(text) {
      const addresses = text.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
      const malformed = addresses.find((address) => !isAddress(address));
      if (malformed !== undefined) throw new Error(`has ${JSON.stringify(malformed)} in it, and must be ${form}`);
      return addresses;
    },
  };
}

function isAddress(text: string): boolean {
  const [, port] = /^(?:[^\s:/@]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(text) ?? [];
  return Number(port) >= 1 && Number(port) <= 65_535;
}

interface Form<T> {
  readonly form: string;
  parse(text: string): T;
}

function integer(least: number, most: number): Form<number> {
  const form = `a whole number, ${least} to ${most}`;
  return { form, parse: (text) => (isBetween(text, /^\d+$/, least, most) ? Number(text) : refuse(form, text)) };
}

function seconds(least: number): Form<number> {
  const form = `seconds, ${least} to 86400`;
  return {
    form,
    parse: (text) => (isBetween(text, /^\d+(\.\d+)?$/, least, 86_400) ? Number(text) : refuse(form, text)),
  };
}

function isBetween(text: string, pattern: RegExp, least: number, most: number): boolean {
  return pattern.test(text) && Number(text) >= least && Number(text) <= most;
}

function choice<const T extends string>(...values: readonly T[]): Form<T> {
  const form = values.join(", ");
  return { form, parse: (text) => values.find((value) => value === text) ?? refuse(`one of ${form}`, text) };
}

function flag(): Form<boolean> {
  const { form, parse } = choice("true", "false");
  return { form, parse: (text) => parse(text) === "true" };
}

function word(): Form<string> {
  const form = "text without spaces";
  return { form, parse: (text) => (/^\S+$/.test(text) ? text : refuse(form)) };
}

function httpAddress(): Form<string> {
  const form = "http://host:port or https://host, without a user";
  const isBare = ({ protocol, username, password, search, hash }: URL) =>
    /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === "";
  // The value may hold a password, so that it is not shown.
  const parse = (text: string) => {
    const url = URL.parse(text);
    return url !== null && isBare(url) ? text : refuse(form);
  };
  return { form, parse };
}

function postgresAddress(): Form<string> {
  const form = "postgres://user:password@host:port/database";
  // The value may hold a password, so that it is not shown.
  const isAddress = (text: string) =>
    /^postgres(ql)?:\/\/\S+$/.test(text) && URL.canParse(text.replace("@/", "@host/"));
  return { form, parse: (text) => (isAddress(text) ? text : refuse(form)) };
}

function optional<T>({ form, parse }: Form<T>): Form<T | undefined> {
  return { form, parse: (text) => (text === "" ? undefined : parse(text)) };
}

function refuse(form: string, text?: string): never {
  throw new Error(`must be ${form}${text === undefined ? "" : `, not ${JSON.stringify(text)}`}`);
}
