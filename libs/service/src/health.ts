import type { handleServerStreamingCall, Server, ServerWritableStream } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatusMap } from "grpc-health-check";

type Watch = ServerWritableStream<unknown, unknown>;

/** `grpc.health.v1`: what a process says of itself as a whole, under the empty name, and of each of its services. */
export class Health {
  readonly #implementation: HealthImplementation;
  /** What was said last, of each name. */
  readonly #serving: Map<string, boolean>;
  readonly #watches = new Set<Watch>();
  #ended = false;

  /** @param services full names, `graviton.blob.v1.BlobService`; all start as not serving */
  constructor(services: readonly string[]) {
    this.#serving = new Map(["", ...services].map((name) => [name, false]));
    const initial: ServingStatusMap = Object.fromEntries(this.#serving.keys().map((name) => [name, "NOT_SERVING"]));
    this.#implementation = new HealthImplementation(initial);
  }

  register(server: Server): void {
    this.#implementation.addToServer({
      addService: (service, handlers) => {
        const watch = handlers.watch as handleServerStreamingCall<unknown, unknown>;
        const endingWatch = (call: Watch) => {
          watch(call);
          this.#began(call);
        };
        server.addService(service, { ...handlers, watch: endingWatch });
      },
    });
  }

  /**
   * Tells everyone who asks or watches. False is for a process that ends, and ends the watches too: the drain of its
   * server would wait for them until the grace is over.
   */
  set(serving: boolean): void {
    this.setEach(() => serving);
    this.#ended = !serving;
    if (this.#ended) for (const watch of this.#watches) watch.end();
  }

  /** The same, for each service of its own; the empty name stands for the process. */
  setEach(isServing: (service: string) => boolean): void {
    for (const [name, before] of this.#serving) {
      const serving = isServing(name);
      if (serving === before) continue;
      this.#serving.set(name, serving);
      this.#implementation.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
    }
  }

  /** The library ends no watch: each is over when its client goes. */
  #began(watch: Watch): void {
    this.#watches.add(watch);
    watch.once("cancelled", () => this.#watches.delete(watch));
    if (this.#ended) watch.end();
  }
}
