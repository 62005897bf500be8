import { type AgentOptions, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { NodeHttpHandler, type NodeHttpHandlerOptions } from "@smithy/node-http-handler";

export interface RequestHandlerOptions extends Omit<NodeHttpHandlerOptions, "httpAgent" | "httpsAgent"> {
  /** What the connections of all requests are like, and how many there may be. */
  readonly pool: AgentOptions;
  /** How long a connection may be silent while S3 copies what it has, in milliseconds; `socketTimeout` is for all else. */
  readonly copyingTimeout: number;
}

type Request = Parameters<NodeHttpHandler["handle"]>[0];

/**
 * Has more patience with requests that make S3 copy, and gives the errors of Node's network as errors of this realm, with
 * the original as their cause. The SDK tells errors by `instanceof`, and makes one without code, name or cause of any that
 * comes from another realm, as in a test runner.
 */
export class RequestHandler extends NodeHttpHandler {
  readonly #copying: NodeHttpHandler;

  constructor({ pool, copyingTimeout, ...options }: RequestHandlerOptions) {
    const shared = { ...options, httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent(pool) };
    super(shared);
    this.#copying = new NodeHttpHandler({ ...shared, socketTimeout: copyingTimeout });
  }

  override async handle(...request: Parameters<NodeHttpHandler["handle"]>): ReturnType<NodeHttpHandler["handle"]> {
    try {
      return await (isCopying(request[0]) ? this.#copying.handle(...request) : super.handle(...request));
    } catch (error) {
      const { name, code, message } = error as NodeJS.ErrnoException;
      throw Object.assign(new Error(message, { cause: error }), { name, ...(code === undefined ? {} : { code }) });
    }
  }

  /** Closes the connections. Each of the two knows them only once it has used them. */
  override destroy(): void {
    this.#copying.destroy();
    super.destroy();
  }
}

function isCopying({ method, query, headers }: Request): boolean {
  return headers["x-amz-copy-source"] !== undefined || (method === "POST" && query?.uploadId !== undefined);
}
