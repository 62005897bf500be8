import type { Channel } from "@graviton/rpc/channel";
import type { ServiceDefinition } from "../run-service.ts";

/** A service as something whose days, good and bad, can be tested. */
export interface ServiceSubject {
  readonly definition: ServiceDefinition;
  /** The setting that chooses its backend. */
  readonly variable: string;
  /** Stores something under a name. */
  put(channel: Channel, name: string, backend: string): Promise<void>;
  /** Rejects unless what was put under the name is there, and is right. */
  expectThere(channel: Channel, name: string, backend: string): Promise<void>;
}
