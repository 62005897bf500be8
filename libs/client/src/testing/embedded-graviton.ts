import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedServer, serveEmbedded } from "@graviton/embedded/serve";

/** A real server in this process that can go away and come back on the same port, with a folder for a test's files. */
export class EmbeddedGraviton implements AsyncDisposable {
  readonly #folder: string;
  #server: EmbeddedServer | undefined;
  #gone: Promise<void> = Promise.resolve();
  #port = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<EmbeddedGraviton> {
    const graviton = new EmbeddedGraviton(await mkdtemp(join(tmpdir(), "graviton-client-")));
    await graviton.comeBack();
    return graviton;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The path of a test's file. */
  at(name: string): string {
    return join(this.#folder, name);
  }

  /** Ends the calls in flight, and refuses others. */
  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#gone = server?.drain() ?? this.#gone;
    await this.#gone;
  }

  /** Serves again, once it has gone away. */
  async comeBack(): Promise<void> {
    await this.#gone;
    if (this.#server !== undefined) return;
    const ports = { grpcPort: this.#port, httpPort: 0 };
    const config = { dataFolder: this.at("data"), host: "127.0.0.1", graceMs: 0, ...ports };
    this.#server = await serveEmbedded(config, () => {});
    this.#port = this.#server.grpcPort;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goAway();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
