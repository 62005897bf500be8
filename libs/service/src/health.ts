import type { Server } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatusMap } from "grpc-health-check";

/** `grpc.health.v1`: what a process says of itself as a whole, under the empty name, and of each of its services. */
export class Health {
  readonly #implementation: HealthImplementation;
  readonly #names: readonly string[];

  /** @param services full names, `graviton.blob.v1.BlobService`; all start as not serving */
  constructor(services: readonly string[]) {
    this.#names = ["", ...services];
    const initial: ServingStatusMap = Object.fromEntries(this.#names.map((name) => [name, "NOT_SERVING"]));
    this.#implementation = new HealthImplementation(initial);
  }

  register(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** Tells everyone who asks or watches. */
  set(serving: boolean): void {
    this.setEach(() => serving);
  }

  /** The same, for each service of its own; the empty name stands for the process. */
  setEach(isServing: (service: string) => boolean): void {
    for (const name of this.#names) this.#implementation.setStatus(name, isServing(name) ? "SERVING" : "NOT_SERVING");
  }
}
