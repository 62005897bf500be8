import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Takes traces over HTTP as a collector of OpenTelemetry does, and keeps them as they came. */
export class Collector implements AsyncDisposable {
  readonly #bodies: Buffer[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const bytes of request) parts.push(bytes);
      this.#bodies.push(Buffer.concat(parts));
      response.end();
    });
  }

  static async listen(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** All that was told of a trace, once that has each of the words in it. Names in OTLP are plain text. */
  async toldOf(traceId: Buffer, words: readonly string[]): Promise<string> {
    const signal = AbortSignal.timeout(30_000);
    for (;;) {
      const told = this.#bodies.filter((body) => body.includes(traceId)).join("\n");
      if (words.every((word) => told.includes(word))) return told;
      if (signal.aborted) throw new Error(`of the trace nobody told all of ${words.join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }
}
