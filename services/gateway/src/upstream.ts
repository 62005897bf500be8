import { StorageError } from "@graviton/ports/storage-error";
import { Replicas } from "@graviton/rpc/replicas";
import type { Dependency } from "@graviton/service/readiness";
import type { ServiceContext } from "@graviton/service/run-service";

/** A service behind the gateway. */
export interface UpstreamInit {
  /** `block-service`. */
  readonly name: string;
  readonly addresses: readonly string[];
  /** The setting that lists them. */
  readonly variable: string;
  /** Those of the gateway's own services that need it, by their full names; all when absent. */
  readonly services?: readonly string[];
  /** False when the gateway as a whole is ready without it. */
  readonly essential?: boolean;
}

/**
 * A process that stands still, or a machine that is gone, takes its calls with it until somebody notices: between machines
 * of one cluster that may be seconds.
 */
const patience = {
  connectMsMax: 5000,
  options: { "grpc.keepalive_time_ms": 5000, "grpc.keepalive_timeout_ms": 3000 },
};

/** A service behind the gateway: its replicas, and whether one of them serves. */
export class Upstream implements Dependency, AsyncDisposable {
  readonly name: string;
  readonly services: readonly string[] | undefined;
  readonly essential: boolean;
  readonly replicas: Replicas;

  constructor({ name, addresses, variable, services, essential = true }: UpstreamInit, context: ServiceContext) {
    this.name = name;
    this.services = services;
    this.essential = essential;
    this.check = this.check.bind(this);
    this.replicas = new Replicas({
      name,
      addresses,
      hint: `set ${variable}`,
      resolveMs: context.config.resolveSeconds * 1000,
      channel: { headers: context.headers, ...patience },
      onChange: (change) => {
        const level = change.failed.length > 0 ? "warn" : "info";
        context.log[level]({ service: name, ...change }, "replicas");
      },
    });
  }

  /** @throws StorageError UNAVAILABLE while no replica serves, naming each and what it says */
  async check(signal: AbortSignal): Promise<void> {
    await this.replicas.resolved;
    const replicas = this.replicas.current();
    if (replicas.length === 0) throw this.replicas.none();
    try {
      await Promise.any(replicas.map((replica) => replica.check(signal)));
    } catch (error) {
      const reasons = (error as AggregateError).errors.map((reason: Error) => reason.message);
      throw new StorageError("UNAVAILABLE", `no replica of ${this.name} serves: ${reasons.join("; ")}`, {
        resource: this.name,
        cause: error,
      });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.replicas[Symbol.asyncDispose]();
  }
}

export type Upstreams = ReturnType<typeof openUpstreams>;

/** All services behind the gateway. Without values and objects it still serves blobs. */
export function openUpstreams(context: ServiceContext, opened: AsyncDisposableStack) {
  const { blockServices, manifestServices, kvServices, objectServices } = context.config;
  const upstream = (init: ConstructorParameters<typeof Upstream>[0]) => opened.use(new Upstream(init, context));
  return {
    block: upstream({
      name: "block-service",
      addresses: blockServices,
      variable: "GRAVITON_BLOCK_SERVICES",
      services: ["graviton.blob.v1.BlobService", "graviton.block.v1.BlockService"],
    }),
    manifest: upstream({
      name: "manifest-service",
      addresses: manifestServices,
      variable: "GRAVITON_MANIFEST_SERVICES",
      services: [
        "graviton.blob.v1.BlobService",
        "graviton.manifest.v1.ManifestService",
        "graviton.replica.v1.ReplicaIndexService",
        "graviton.range.v1.RangeTrackerService",
      ],
    }),
    kv: upstream({
      name: "kv-service",
      addresses: kvServices,
      variable: "GRAVITON_KV_SERVICES",
      services: ["graviton.kv.v1.KeyValueService"],
      essential: false,
    }),
    object: upstream({
      name: "object-service",
      addresses: objectServices,
      variable: "GRAVITON_OBJECT_SERVICES",
      services: ["graviton.object.v1.ObjectService"],
      essential: false,
    }),
  };
}
